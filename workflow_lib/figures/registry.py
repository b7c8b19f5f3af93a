"""Stub until the family of figures is merged."""


def of_dataset() -> tuple[str, ...]:
    return (
        "segmentations",
        "distributions",
        "recall_precision",
        "training_curves",
        "imbalance",
        "ranking",
        "share_effect",
        "gallery_worst",
        "gallery_median",
        "gallery_best",
    )


def of_sweep() -> tuple[str, ...]:
    return ("sweep",)


def of_losses() -> tuple[str, ...]:
    return ("loss_families", "gamma_curves")


def with_text(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        n for n in names if n in ("segmentations", "share_effect", "gallery_worst", "gallery_median", "gallery_best", "sweep")
    )
