"""Generation of docs/losses.md from the registry (`make generated`)."""

from workflow_lib.base.parameters import parameter_rows
from workflow_lib.losses import registry

FAMILIES = "images/losses/families.svg"

HEAD = r"""# Losses

<!-- Written by `make generated` from the files in workflow_lib/losses; do not edit. -->

A loss is chosen by name in the study, with parameters that differ from its defaults:

```yaml
losses:
  tversky_recall:                       # any name; it is the folder of the results
    loss: tversky
    label: Tversky loss (δ = 0.9)       # its name in tables and figures
    parameters: {delta: 0.9}
  dice_literal:
    loss: dice
    preset: paper-literal               # as the paper's equations are printed; `paper` is the default
    label: Dice loss (sum over classes)
  dice_and_boundary:
    loss: weighted_sum                  # a compound of your own
    label: Dice + 0.1 boundary
    parameters:
      terms:
        - {loss: dice}
        - {loss: boundary, weight: 0.1, parameters: {max_distance: 8}}
  mine:
    loss: my_losses/soft_f2.py          # a file of your own: docs/add-a-loss.md
```

or used alone, on channels-last softmax output of any number of spatial axes, with any backend of Keras 3:

```python
from workflow_lib.losses.asymmetric_unified_focal import asymmetric_unified_focal

model.compile(optimizer="adam", loss=asymmetric_unified_focal(delta=0.7))
```

A model that was saved with a loss is loaded with `keras.saving.load_model(path, custom_objects=registry.keras_objects())`
(`workflow_lib.losses.registry`). With mixed precision keep the softmax layer in float32: where a class is absent from the patch
and from the prediction, the gradient of an overlap (about 1/s) does not fit into float16.

![Which loss is built from which](images/losses/families.svg)

## Notation

$y$ is the one-hot ground truth, $p$ the softmax output, $c$ one of $C$ classes with the background first, $i$ one of $N$ voxels.

$$q = \min\left(\max\left(p, 10^{-7}\right), 1 - 10^{-7}\right)$$

$$\mathrm{TP}_c = \sum_i y_{ic} p_{ic}$$

$$\mathrm{FN}_c = \sum_i y_{ic} \left(1 - p_{ic}\right)$$

$$\mathrm{FP}_c = \sum_i \left(1 - y_{ic}\right) p_{ic}$$

$$\mathrm{TI}_c(\delta) = \frac{\mathrm{TP}_c + s}{\mathrm{TP}_c + \delta \mathrm{FN}_c + (1 - \delta) \mathrm{FP}_c + s}$$

$$\mathrm{DSC}_c = \mathrm{TI}_c(1/2)$$

Cross entropies are averaged over batch and voxels; overlaps are counted per sample (`overlap: batch`: over the whole batch) and
averaged over the batch. Everything is computed in float32, whatever the precision of the network. A voxel outside the volume
has no class: it adds nothing to a cross entropy (and counts in its mean), and its probabilities count as false positives.

The defaults of the paper's losses are the preset `paper`; the preset `paper-literal` differs where the text says so.

The plots show the value of each loss on a square of 48 x 48 voxels with a disc of radius 6 in the middle (5 % of the voxels), for
values of one parameter: on the left the disc is given the probability on the axis and all else is right (misses), on the right a
ring of 3 voxels around the disc is given the foreground by mistake (false alarms).
"""


def is_plotted(name: str) -> bool:
    """Return whether the loss has a plot. Losses without complete defaults have none.

    Parameters
    ----------
    name : str
        Name of the loss.

    Returns
    -------
    bool
        Whether docs/losses.md shows a plot.
    """
    return not registry.faults(name)


def plot_of(name: str) -> str:
    """Return the path of the plot of a loss.

    Parameters
    ----------
    name : str
        Name of the loss.

    Returns
    -------
    str
        Relative to docs/losses.md.
    """
    return f"images/losses/{name}.svg"


def text() -> str:
    """Return the content of docs/losses.md.

    Returns
    -------
    str
        The whole page.
    """
    families = [section for family in registry.FAMILIES for section in _family(family)]
    return "\n".join([HEAD, *families]).rstrip() + "\n"


def _family(family: str) -> list[str]:
    members = [name for name in registry.names() if family == registry.get(name).FAMILY]
    heading = registry.FAMILIES[family]
    return [f"## {heading[0].upper()}{heading[1:]} losses\n", *(_loss(name) for name in members)] if members else []


def _loss(name: str) -> str:
    loss = registry.get(name)
    parts = [f"### {loss.LABEL}: `{name}`", f"$${loss.EQUATION}$$"]
    rows = parameter_rows(loss.Parameters)
    if rows:
        lines = ["| parameter | default | accepted | meaning |", "|---|---|---|---|"]
        lines += [f"| `{row.name}` | `{row.default}` | {row.accepted} | {row.meaning} |" for row in rows]
        parts.append("\n".join(lines))
    else:
        parts.append("No parameters.")
    if is_plotted(name):
        parts.append(f"![Values of the {loss.LABEL}]({plot_of(name)})")
    if hasattr(loss, "PRESETS") and (literal := registry.preset(name, "paper-literal")):
        parts.append("Preset `paper-literal`: " + ", ".join(f"`{key}: {value}`" for key, value in literal.items()) + ".")
    base = registry.built_from(name)
    if base:
        parts.append("Built from " + " and ".join(f"`{other}`" for other in base) + ".")
    notes = registry.notes(name)
    if notes:
        parts.append("\n".join(f"- {note}" for note in notes))
    parts.append(f"Source: {loss.CITATION}")
    return "\n\n".join(parts) + "\n"
