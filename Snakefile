# Which loss, on which class-imbalanced images? Train one network with many losses; end in one report.
#
#   snakemake --cores all                                       the study of config.yaml (the paper)
#   snakemake --cores all --configfile studies/demo.yaml        the demo on synthetic images
#   snakemake --profile slurm                                   on a cluster
#   snakemake -n                                                only show what would run

from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/preprocess.smk"
include: "rules/train.smk"
include: "rules/predict.smk"
include: "rules/evaluate.smk"
include: "rules/statistics.smk"
include: "rules/figures.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        no_input_but_records_compared,
        report=f"{RESULTS}/report.html",
