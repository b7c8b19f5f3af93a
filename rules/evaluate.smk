# Scores per case and class, then one table per dataset.


rule evaluate:
    input:
        **reads("evaluate"),
    output:
        **writes("evaluate"),
    log:
        logs("evaluate"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=60,
    params:
        **job("evaluate"),
    message:
        "Score {wildcards.dataset}, {wildcards.loss}, fold {wildcards.fold}"
    shell:
        command("evaluate")


rule collect:
    input:
        **reads("collect"),
    output:
        **writes("collect"),
    log:
        logs("collect"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        **job("collect"),
    message:
        "Collect the scores of {wildcards.dataset}"
    shell:
        command("collect")
