# The figures of the paper, and additional ones.


rule figures_losses:
    output:
        **writes("figures_losses"),
    log:
        logs("figures_losses"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=10,
    params:
        **job("figures_losses"),
    message:
        "Draw the family of losses and the effect of gamma"
    shell:
        command("figures_losses")


rule figures_dataset:
    input:
        **reads("figures_dataset"),
    output:
        **writes("figures_dataset"),
    log:
        logs("figures_dataset"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=60,
    params:
        **job("figures_dataset"),
    message:
        "Draw the figures of {wildcards.dataset}"
    shell:
        command("figures_dataset")


# Only for datasets whose losses sweep a parameter; requested by the report.
rule figures_sweep:
    input:
        **reads("figures_sweep"),
    output:
        **writes("figures_sweep"),
    log:
        logs("figures_sweep"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=10,
    params:
        **job("figures_sweep"),
    message:
        "Draw the sweep of {wildcards.dataset}"
    shell:
        command("figures_sweep")
