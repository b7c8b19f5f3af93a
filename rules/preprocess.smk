# Runs once per dataset, for any number of losses and folds.


rule preprocess:
    input:
        **reads("preprocess"),
    output:
        **writes("preprocess"),
    log:
        logs("preprocess"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=240,
    params:
        **job("preprocess"),
    message:
        "Preprocess {wildcards.dataset}, part {wildcards.shard}"
    shell:
        command("preprocess")
