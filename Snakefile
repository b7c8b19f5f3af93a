# Train one network with many loss functions on class-imbalanced medical images, and summarise the results in one report.
#
#   snakemake --cores all                                       the study of config.yaml (the paper)
#   snakemake --cores all --configfile studies/demo.yaml        the demo on synthetic images
#   snakemake --profile slurm                                   on a cluster
#   snakemake -n                                                show what would run

from snakemake.utils import min_version

min_version("9.3")


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


# Targets for parts of the workflow, each with everything that it needs, for example `snakemake --cores all scores`.


rule data:
    input:
        no_input_but_results_compared,
        made("check.table", "cases_page.page", "split.folds"),


rule preprocessed:
    input:
        no_input_but_results_compared,
        made("preprocess.store"),


rule trainings:
    input:
        no_input_but_results_compared,
        made("train.weights"),


rule predictions:
    input:
        no_input_but_results_compared,
        made("predict.predictions"),


rule scores:
    input:
        no_input_but_results_compared,
        made("collect.scores"),


rule results:
    input:
        no_input_but_results_compared,
        made("statistics.results", "tables.tables"),


rule drawings:
    input:
        no_input_but_results_compared,
        made("figures_losses.figures", "figures_dataset.figures", "figures_sweep.figures"),


rule all:
    default_target: True
    input:
        no_input_but_results_compared,
        made("report_page.page"),
