"""docs/datasets.md, written from the formats (`make generated`)."""

from workflow_lib.datasets.formats import registry

HEAD = """# Datasets

<!-- Written by `make generated` from workflow_lib/datasets; do not edit. -->

A dataset is an entry of the catalogue `datasets` in the study: a format, where its files lie, and what is done to them.

```yaml
datasets:
  drive:
    label: DRIVE
    format: drive                  # one of the table below
    source: folder                 # the files lie in root; or download: they are fetched into root
    root: data/DRIVE
    losses: [dice, focal]
    preprocessing: {size: [512, 512]}
    training: {patch: [512, 512], epochs: 100, iterations: null}
    prediction: {overlap: [0, 0]}
```

## Before anything is trained

`obtain` finds or fetches the files, `inspect` reads every one of them once, and `check` decides which cases the study uses.
A case has a fault when a file is missing, cut short or damaged, when image and mask differ in shape, voxel size or position,
when a mask holds values that no class declares, when voxels are NaN or infinite, when a channel has one value only, when it
has another number of channels than the others, or when its name is taken or cannot be a file name everywhere. All faults of
all cases are told at once, and the study stops (`faulty: exclude` leaves such cases out instead, and lists them).

`results/<study>/data/<dataset>/cases.html` shows every case: shape, spacing, orientation, intensities, voxels and share of
every class, faults; and how imbalanced the classes are, pooled and case by case. It is there also when the study stops. The
same is in `cases.csv` (`faults.csv` when it stops) and in the report.

```yaml
    exclude:
      case_00015: kidney label in doubt        # left out; the report prints the reason
    require: [tumour]                          # cases without this class are left out and listed
    faulty: stop                               # or exclude
```

## Dividing the cases

```yaml
    cross_validation:
      folds: 5                                 # every case is scored once; the fold that scores also chooses the epoch
      by_group: true                           # cases of one patient or sequence stay together
    groups: patients.csv                       # case,group; where the format does not know them
```

or one split, in which the scored cases neither train a network nor choose its epoch:

```yaml
    cross_validation:
      fixed: {test: 0.2, validation: 0.2}      # a fifth, then a fifth of the others; test: official takes the dataset's own
```

or `table: division.csv`, with the columns `case,fold` or `case,part` (training, validation, test). The report says which it
was, and warns where a group stands on both sides. What such a file says counts: the study is divided again when
it changes, and not when it is moved.

## Pictures

PNG, TIFF, BMP, GIF and JPEG are read beside NIfTI; a patch of two sides makes the network 2-D. `preprocessing.size` resizes
images for the network; predictions are resized back, and scored at the original size. `field_of_view: true` scores only
inside the camera's field of view where a dataset has masks of it.

## Downloads

Downloads run on the machine where Snakemake was started; cluster nodes need no network. They are resumed where they were
interrupted, checked (length, gzip to the end, header, shape against the mask), and their SHA-256 is kept in `checksums.json`
beside them and compared ever after. `url` names a mirror. Once all files are there, no connection is made; `source: folder`
never makes one.

"""

OWN = """## Images of your own

The nnU-Net layout (`format: nnunet_raw`) works as it is. Any other folder is described by patterns: `{case}` stands for the
name of a case, `{group}` for what it belongs to, `*` for anything.

```yaml
datasets:
  mine:
    label: Lesions
    format: folders
    root: /data/lesions
    files:
      images: ["{group}/{case}/photo.png"]     # one pattern per channel
      masks: "{group}/{case}/lesion*.png"      # several masks of a case are joined
      classes: {background: 0, lesion: 255}    # background first; a class may have several values: [1, 2]
      threshold: 127                           # mask values above it are 255, the others 0
      colour: rgb                              # or grey, red, green, blue
    cross_validation: {by_group: true}
    losses: [dice, focal]
    training: {patch: [256, 256], epochs: 100, iterations: null}
    prediction: {overlap: [128, 128]}
```

`snakemake --configfile my_study.yaml --until cases_page` reads all files and shows what is in them, and trains nothing.

"""


def text() -> str:
    """Return docs/datasets.md."""
    modules = {name: registry.get(name) for name in registry.formats()}
    rows = ["| format | dataset | obtained | terms |", "|---|---|---|---|"]
    rows += [
        f"| [`{name}`](#{name}) | {module.LABEL} | {'downloaded' if module.DOWNLOADABLE else 'by hand'} | {module.LICENCE} |"
        for name, module in modules.items()
    ]
    parts = [f"### {name}\n\n```text\n{module.INSTRUCTIONS.strip()}\n```\n\n{module.URL}" for name, module in modules.items()]
    return HEAD + OWN + "## Formats\n\n" + "\n".join(rows) + "\n\n" + "\n\n".join(parts) + "\n"
