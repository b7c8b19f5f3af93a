# The figures of the paper, and those that show more.

from workflow_lib.figures import registry as figures


rule figures_losses:
    output:
        figures=shown(
            f"{RESULTS}/figures/{{name}}.{{suffix}}",
            "figure",
            figures.of_losses(),
            ["svg", "png"],
            dataset="all losses",
        ),
        texts=[f"{RESULTS}/figures/{name}.json" for name in figures.with_text(figures.of_losses())],
        record=f"{RESULTS}/records/figures_losses.json",
    log:
        f"{RESULTS}/logs/figures_losses.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=10,
    params:
        step="figures_losses",
        settings=settings("figures_losses"),
        fingerprint=fingerprint("figures_losses"),
    message:
        "Draw the family of losses and the effect of gamma"
    shell:
        step_command(" --figures {output.figures:q} --texts {output.texts:q}")


rule figures_dataset:
    input:
        cases=f"{RESULTS}/data/{{dataset}}/cases.json",
        table=f"{RESULTS}/data/{{dataset}}/cases.csv",
        scores=f"{RESULTS}/scores/{{dataset}}.csv",
        results=rules.statistics.output.results,
        histories=over_losses_and_folds(f"{RESULTS}/training/{{dataset}}/{{loss}}/fold_{{fold}}/history.csv"),
        predictions=over_losses_and_folds(f"{RESULTS}/predictions/{{dataset}}/{{loss}}/fold_{{fold}}"),
    output:
        figures=shown(f"{RESULTS}/figures/{{name}}_{{{{dataset}}}}.{{suffix}}", "figure", figures.of_dataset(), ["svg", "png"]),
        texts=[f"{RESULTS}/figures/{name}_{{dataset}}.json" for name in figures.with_text(figures.of_dataset())],
        record=f"{RESULTS}/records/figures_dataset/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/figures_dataset/{{dataset}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=60,
    params:
        step="figures_dataset",
        settings=settings("figures_dataset"),
        fingerprint=fingerprint("figures_dataset"),
    message:
        "Draw the figures of {wildcards.dataset}"
    shell:
        step_command(
            " --cases {input.cases:q} --table {input.table:q} --scores {input.scores:q} --results {input.results:q}"
            " --histories {input.histories:q} --predictions {input.predictions:q}"
            " --figures {output.figures:q} --texts {output.texts:q}"
        )


# Only for datasets whose losses sweep a parameter; the report asks for it.
rule figures_sweep:
    input:
        cases=f"{RESULTS}/data/{{dataset}}/cases.json",
        means=f"{RESULTS}/statistics/{{dataset}}/means.csv",
    output:
        figures=shown(f"{RESULTS}/figures/{{name}}_{{{{dataset}}}}.{{suffix}}", "figure", figures.of_sweep(), ["svg", "png"]),
        texts=[f"{RESULTS}/figures/{name}_{{dataset}}.json" for name in figures.with_text(figures.of_sweep())],
        record=f"{RESULTS}/records/figures_sweep/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/figures_sweep/{{dataset}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=10,
    params:
        step="figures_sweep",
        settings=settings("figures_sweep"),
        fingerprint=fingerprint("figures_sweep"),
    message:
        "Draw the sweep of {wildcards.dataset}"
    shell:
        step_command(" --cases {input.cases:q} --means {input.means:q} --figures {output.figures:q} --texts {output.texts:q}")
