"""Generate docs/datasets.md from the formats (`make generated`)."""

from workflow_lib.datasets.formats import registry

HEAD = """# Datasets

<!-- Written by `make generated` from workflow_lib/datasets; do not edit. -->

A dataset is an entry of the catalogue `datasets` in the study: a format, the folder of its files, and the processing.
`study.datasets` names the entries that the study compares. A study that names none stops; an entry that it does not name is only
validated, and its faults are warnings.

```yaml
study: {name: drive, title: Losses on DRIVE, datasets: [drive]}
datasets:
  drive:
    label: DRIVE
    format: drive                  # one of the table below
    source: folder                 # the files are in root; or download: they are downloaded into root
    root: data/DRIVE
    losses: [dice, focal]
    preprocessing: {size: [512, 512]}
    training: {patch: [512, 512], epochs: 100, iterations: null}
    prediction: {overlap: [0, 0]}
```

## Before anything is trained

`obtain` finds or downloads the files, `inspect` reads each of them once, and `check` decides which cases the study uses.
A case has a fault when a file is missing, cut short or damaged, when image and mask differ in shape, voxel size or position,
when a mask contains values that no class declares, when voxels are NaN or infinite, when a channel has one value only, when it
has another number of channels than the others, or when its name is not unique or not a valid file name on every
system. All faults of all cases are reported together, and the study stops (`faulty: exclude` excludes such cases
instead, and lists them).

`results/<study>/data/<dataset>/cases.html` shows every case: shape, spacing, orientation, intensities, voxels and share of
every class, faults; and the class imbalance, pooled and for each case. It is also written when the study stops. The
same information is in `cases.csv` (`faults.csv` when it stops) and in the report. Keys of the entry
say which cases are left out:

```yaml
    exclude:
      case_00015: kidney label in doubt        # excluded; the report prints the reason
    require: [tumour]                          # cases without this class are excluded and listed
    faulty: stop                               # or exclude
```

## When images or masks change

Before every run, in `snakemake -n` and in `whichloss preview`, the files are compared with the inspection: names, sizes, dates
and inodes first, the content only where these differ. Files that were copied or touched count as the same. If a content
changed, or cases were added or removed, it depends on the results:

- If nothing was made from the inspection yet, for example because the study stopped at a fault, the changed files are
  inspected again.
- Otherwise the run stops, names the cases, and says how many trainings would be repeated. A key of the entry decides:

```yaml
    changed_data: follow                       # make again what follows from the images as they are now
```

`changed_data: freeze` keeps the results: the first screen of the report says which images have changed, and nothing new is
made from them. Steps also compare the bytes that they read with the inspection, so a file that changes during a run is never
scored. Images that are gone altogether (archived, swept from a scratch disk) stop only what needs them: training and
prediction need none once the images are preprocessed; scores and figures do.

[incremental.md](incremental.md) lists what each of some ninety changes repeats.

## Dividing the cases

Keys of the entry divide its cases, into folds:

```yaml
    cross_validation:
      folds: 5                                 # every case is scored once; the fold that is scored also selects the epoch
      by_group: true                           # cases of one patient or sequence stay together
    groups: patients.csv                       # case,group; where the format does not know them
```

or one split, in which the scored cases are used neither to train a network nor to select its epoch:

```yaml
    cross_validation:
      fixed: {test: 0.2, validation: 0.2}      # a fifth, then a fifth of the rest; test: official uses the dataset's own
```

or `table: division.csv`, with the columns `case,fold` or `case,part` (training, validation, test). The report states the
division, and warns if a group is on both sides of it. Only the content of such a file counts: the study is divided again if
it changes, but not if the file is moved.

To add cases later without moving the others, copy `results/<study>/data/<dataset>/folds.csv` and use the copy as the table:

```yaml
    cross_validation:
      table: folds_before.csv                  # the cases that were divided stay where they are
      new_cases: add                           # others are added in proportion, to the fold of their group if it has one
```

## Volumes and pictures

Volumes are NIfTI (.nii, .nii.gz, also in capitals), MetaImage (.mha, .mhd), NRRD (.nrrd, .nhdr), 3D Slicer's segmentations
(.seg.nrrd), FreeSurfer's files (.mgz, .mgh), NIfTI pairs (.hdr with .img) and DICOM: a folder with the slices of one CT or MR
series, `images: ["{case}/ct/*.dcm"]`, and segmentations (SEG), whose values are the numbers of their segments. Predictions are
NIfTI on the grid of their image. If volumes do not have the same order of axes, `preprocessing: {orientation: RAS}` brings all
to one; predictions return to the grid of their image.

Pictures are PNG, TIFF, BMP, GIF and JPEG; a patch with two sides makes the network 2-D. `preprocessing.size` resizes
images for the network; predictions are resized back, and scored at the original size. `field_of_view: true` scores only
inside the camera's field of view, for datasets with masks of it. A volume of one slice, stored as (x, y, 1), is also an image
for a 2-D network.

## What is checked

Every file is read once before the first training. It is understood as the authority of its format understands it, or the case
has a fault with the file, what is wrong, and what to do; `faulty: exclude` leaves such cases out. What a reader converts, rounds
or drops is noted with the case in `data/<dataset>/cases.html`.

@CHECKED@

## Downloads

Downloads run on the machine where Snakemake was started; cluster nodes need no network. An interrupted download
is resumed. Files are checked (length, gzip to the end, header, shape compared with the mask); their SHA-256 is stored in
`checksums.json` in the same folder and compared in every later run. `url` names a mirror. Once all files are present, no
connection is made; with `source: folder` there is never one.

"""

OWN = """## Your own images

The nnU-Net layout (`format: nnunet_raw`) needs no further description. Any other folder is described by patterns: `{case}`
stands for the name of a case, `{group}` for its group (such as the patient), `*` for any text. Save this as `my_study.yaml`, with
your values:

```yaml
study: {name: lesions, title: Losses on lesions, datasets: [mine]}
datasets:
  mine:
    label: Lesions
    format: folders
    root: /data/lesions
    files:
      images: ["{group}/{case}/photo.png"]     # one pattern per channel
      masks: "{group}/{case}/lesion*.png"      # a mask per case; several are a fault, or joined:
      several_masks: join
      classes: {background: 0, lesion: 255}    # background first; a class may have several values: [1, 2]
      threshold: 127                           # mask values above it are 255, the others 0
      colour: rgb                              # or grey, red, green, blue
    cross_validation: {by_group: true}
    losses: [dice, focal]
    training: {patch: [256, 256], epochs: 100, iterations: null}
    prediction: {overlap: [128, 128]}
```

Masks come in other forms, too:

- **One file per class**: `masks: "{case}/segmentations/{class}.nii.gz"`. Each file marks the voxels of the class after which it
  is named; files of classes that the study does not list are not read, which the page of the data says. Classes that overlap are
  a fault of the case, unless `overlaps: last` lets the class count that is listed last.
- **Colours**: `colours: {background: "#000000", lesion: "#ff0000"}`, one for every class. Other colours are a fault.
- **Several files of one class**: `several_masks: join` takes their union. Without it they are a fault, because they may be those
  of several observers or classes.
- **Grey edges**: `threshold`. Values that differ from whole numbers by at most 0.001 are rounded, which is said.

A pattern may contain `{case}` more than once: `"{case}/{case}-t1c.nii.gz"`.

`snakemake --cores all --configfile my_study.yaml --until cases_page` reads all files and shows their contents, without any
training.

"""


CHECKED = (
    (
        "all files",
        "",
        "missing, cut short, damaged (also in the checksum), a folder, a pipe, a pointer of Git LFS, an HTML "
        "page; changed while it was read",
        "",
    ),
    (
        "NIfTI header",
        "NIfTI-1 and -2, ITK",
        "other version than its size, impossible lengths, types or offset; more voxels than the file can "
        "hold; no usable affine; voxel sizes in `pixdim` and affine that differ by more than 1 %",
        "lengths in metres or micrometres; sform and qform with different axes (the sform counts)",
    ),
    (
        "MetaImage, NRRD",
        "ITK",
        "several values per voxel; voxels in a second file that is missing; overlapping segments",
        "no voxel size in the header (1 mm)",
    ),
    (
        "MGH, NIfTI pairs",
        "FreeSurfer, nibabel",
        "as for NIfTI; Analyze, which does not say where left and right are",
        "",
    ),
    (
        "DICOM",
        "pydicom, the standard",
        "several series in a folder; slices that are missing, double, of another grid or displaced sideways; colour; several "
        "frames; a compression that is not installed; segments that overlap, or probabilities",
        "",
    ),
    (
        "pictures",
        "Pillow, tifffile",
        "several pages; CMYK and other kinds of colour; rotation by EXIF; 16 bits per colour in PNG; more "
        "than 100 million pixels",
        "colour read as grey (ITU-R BT.601); transparency of an image",
    ),
    (
        "voxels",
        "",
        "NaN, infinity; one value everywhere",
        "",
    ),
    (
        "masks",
        "",
        "values that are not declared; another grid than the image (shape, voxel size by 0.1 %, corner by 0.1 "
        "of a voxel); transparency that disagrees with the colours; several files without `several_masks: "
        "join`; classes that overlap; colours that are not declared",
        "values within 0.001 of whole numbers are rounded; a mask in the transparency; files that are joined; "
        "mask files of other classes",
    ),
    (
        "cases of a dataset",
        "",
        "names that are equal, or equal on some systems; another number of channels or axes, or another order of axes than most",
        "axes that point in other directions than those of most cases; equal and nearly equal images",
    ),
    (
        "masks of a dataset",
        "",
        "all empty (the study stops)",
        "a class that no case contains",
    ),
    (
        "dataset.json",
        "nnU-Net 2, Decathlon",
        "not JSON (line and column), labels or channels of another form; a label `ignore`; values above 255; "
        "a channel that it does not name",
        "",
    ),
)
"""What is checked: what, whose understanding counts, what is a fault of the case, and what is converted with a note."""


def text() -> str:
    """Return the text of docs/datasets.md."""
    modules = {name: registry.get(name) for name in registry.formats()}
    rows = ["| format | dataset | obtained | terms |", "|---|---|---|---|"]
    rows += [
        f"| [`{name}`](#{name}) | {module.LABEL} | {'downloaded' if module.DOWNLOADABLE else 'by hand'} | {module.LICENCE} |"
        for name, module in modules.items()
    ]
    parts = [f"### {name}\n\n```text\n{module.INSTRUCTIONS.strip()}\n```\n\n{module.URL}" for name, module in modules.items()]
    checked = ["| what | authority | fault of the case | converted, with a note |", "|---|---|---|---|"]
    checked += [f"| {' | '.join(row)} |".replace("  ", " ") for row in CHECKED]
    return (
        HEAD.replace("@CHECKED@", "\n".join(checked))
        + OWN
        + "## Formats\n\n"
        + "\n".join(rows)
        + "\n\n"
        + "\n\n".join(parts)
        + "\n"
    )
