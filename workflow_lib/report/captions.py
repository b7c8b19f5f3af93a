"""Captions and texts for those who cannot see a figure. A JSON file beside a figure (`caption`, `alt`) goes before these."""

Texts = tuple[str, str]
"""Caption and alternative text."""

GALLERY = ("worst", "median", "best")
"""Which cases the gallery of a dataset shows."""

GENERAL: dict[str, Texts] = {
    "loss_families": (
        "The losses by family: distribution-based, region-based, and compound losses that join both. Arrows lead from a loss "
        "to those that generalise it or combine it with others.",
        "Diagram of the loss functions in families, with arrows from each loss to those derived from it.",
    ),
    "gamma_curves": (
        "Effect of the parameter γ on the focal, focal Tversky and cosine Tversky losses.",
        "Curves of three losses for several values of γ.",
    ),
}
"""Figures 1 and 2."""


def of_dataset(label: str, classes: str, sweep: bool = False) -> dict[str, Texts]:
    """Return the texts of a dataset's figures by file stem, in the order of the page."""
    texts = {
        "segmentations": (
            f"Segmentations of {label}: ground truth and every loss. Rule of choice: the case of median DSC of the rarest class, "
            "averaged over the losses, and in it the slice with the largest reference area of that class.",
            f"Slice of one case of {label} with the segmentation by the ground truth and by each loss.",
        ),
        **{
            f"gallery_{rank}": (
                f"{label}: the {rank} case, ground truth and every loss. Rule of choice: the case of {rank} DSC of the rarest "
                "class, averaged over the losses.",
                f"One case of {label}: the segmentation by the ground truth and by each loss, with errors in colour.",
            )
            for rank in GALLERY
        },
        "distributions": (
            f"{label}: DSC, precision and recall of every case (points) per loss. The box holds the middle half of the cases, "
            "the line in it is the median, the whiskers reach to the outermost case within 1.5 box lengths.",
            f"Box plots of DSC, precision and recall of {classes} for each loss, with a point for every case.",
        ),
        "recall_precision": (
            f"{label}: mean recall against mean precision of each loss, with the intervals of the score table. Grey lines join "
            "points of equal DSC of a single segmentation; they guide the eye, as a mean of DSCs is not the DSC of the means.",
            f"Scatter plot of mean precision against mean recall of {classes}, a point with intervals for each loss.",
        ),
        "training_curves": (
            f"{label}: training and validation loss of every fold. The ring marks the epoch whose weights became the model. "
            "Heights cannot be compared between losses; an axis is logarithmic where its values span more than a factor of ten.",
            "Curves of training and validation loss over the epochs: a panel for each loss, a pair of lines for each fold.",
        ),
        "share_effect": (
            f"{label}: the DSC of every case against the share of its voxels in the rarest class, per loss.",
            "Scatter plots, a panel for each loss: DSC against the share of the rarest class on a logarithmic axis, with trends.",
        ),
        "ranking": (
            f"{label}: how often each loss takes each rank by mean DSC when the cases are drawn again with replacement. "
            "Conditional on these trained models: what other initial weights or folds would change is not in it.",
            f"Stacked bars of the shares of each rank of {classes} for each loss.",
        ),
    }
    if sweep:
        texts["sweep"] = (
            f"{label}: mean DSC over the parameter that the study sweeps, with the intervals of the score table.",
            f"Mean DSC of {classes} over the values of the parameter.",
        )
    return texts


def imbalance(label: str, unit: str = "voxels") -> Texts:
    """Return the texts of the figure of class imbalance."""
    return (
        f"{label}: share of a case's {unit} in each class; a point per case, the black line over all cases pooled. "
        "Logarithmic axis.",
        f"Strip plot of the share of {unit} per class on a logarithmic axis; the numbers are in the table above it.",
    )
