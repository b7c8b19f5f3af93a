"""Generation of docs/networks.md from the architectures (`make generated`)."""

from workflow_lib.base.parameters import parameter_rows
from workflow_lib.networks import costs
from workflow_lib.networks.architectures import registry
from workflow_lib.study.sections.network import Network

PATCH, CLASSES, BATCH = (80, 160, 160), 3, 2
"""Patch, classes and batch of the paper on KiTS19."""

HEAD = """# Networks

<!-- Written by `make generated` from workflow_lib/networks; do not edit. -->

The network of a study is a U-Net of MIScnn 1.4.0, chosen by its name; 2-D or 3-D follows from the patch.

```yaml
network:
  architecture: residual           # standard is the default, and the network of the Mixed Focal loss paper
  filters: 16
  depth: 3
```

All end in a softmax. All losses of a fold start from the same weights, which follow from the seed and the network. Number
formats, XLA, several GPUs and checkpoints work alike for all. Weights and multiplications are exact. The memory of a step is an
estimate: a step that was measured (CPU, one thread, float32, batch 2: 48³ voxels with batch normalisation, and pictures of 384²
without, or 256² with it) took MEASURED of it.

To compare the ranking of losses across networks, a study has two entries of `datasets` with the same images (`format` and
`root`), and each with a `network.architecture` of its own; `cross_validation.like` gives them the same folds. The images are
downloaded once and preprocessed for each entry. The report then shows Kendall's τ between the rankings.

```yaml
study: {name: networks, title: Losses and networks, datasets: [with_standard, with_residual]}
datasets:
  with_standard: &images
    label: Hippocampus, U-Net
    format: msd
    root: data/Task04_Hippocampus
    losses: [dice, focal, mixed_focal]
  with_residual:
    <<: *images
    label: Hippocampus, residual U-Net
    network: {architecture: residual}
    cross_validation: {like: with_standard}
```

A network of your own is a file in `workflow_lib/networks/architectures/`; `interface.py` there says what it holds. It is found
by its name, and no other file changes.

"""

MEASURED = "0.62 to 0.88"
"""Measured memory of a step, relative to `estimate_memory` of the same step.

Measured on 1 December 2026 with TensorFlow 2.21 and 16 filters (MultiResUNet: 32).
"""


def text() -> str:
    """Return the content of docs/networks.md."""
    names = sorted(registry.FAMILY.names(), key=lambda name: (name != Network().architecture, name))
    rows = [
        f"With {Network().filters} filters, depth {Network().depth}, batch normalisation, batch {BATCH}, patch 80 × 160 × 160, "
        "one channel and three classes:\n",
        "| name | network | weights | multiplications, forward | memory of a step (estimate) |",
        "|---|---|---:|---:|---:|",
        *(_row(name) for name in names if not registry.refused(name)),
    ]
    return HEAD.replace("MEASURED", MEASURED) + "\n".join(rows) + "\n\n" + "\n".join(_part(name) for name in names)


def _row(name: str) -> str:
    network = Network(architecture=name)
    weights = costs.count_parameters(network, CLASSES, 1, PATCH)
    work = costs.multiplications(network, CLASSES, 1, PATCH)
    memory = costs.estimate_memory(network, CLASSES, 1, PATCH, BATCH)
    return (
        f"| [`{name}`](#{name}) | {registry.get(name).LABEL} | {weights / 1e6:.1f} million | {work / 1e12:.2f} × 10¹² | "
        f"{memory / 2**30:.1f} GiB |"
    )


def _part(name: str) -> str:
    member = registry.get(name)
    parts = [f"### {name}", member.LABEL + ". " + (" ".join(getattr(member, "NOTES", ())))]
    if registry.refused(name):
        parts[-1] = f"{member.LABEL}. It is refused: of MIScnn 1.4.0 it fails under Keras 3, as {registry.refused(name)}."
    else:
        rows = parameter_rows(member.Parameters)
        table = ["| parameter | default | accepted | meaning |", "|---|---|---|---|"]
        parts.append("\n".join(table + [f"| `{row.name}` | `{row.default}` | {row.accepted} | {row.meaning} |" for row in rows]))
    return "\n\n".join([*parts, f"Source: {member.CITATION}"]) + "\n"
