# Once per dataset, whatever the number of losses and folds.


rule preprocess:
    input:
        cases=f"{RESULTS}/data/{{dataset}}/cases.json",
    output:
        store=directory(f"{RESULTS}/preprocessed/{{dataset}}/shard_{{shard}}"),
        record=f"{RESULTS}/records/preprocess/{{dataset}}/shard_{{shard}}.json",
    log:
        f"{RESULTS}/logs/preprocess/{{dataset}}/shard_{{shard}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=240,
    params:
        step="preprocess",
        settings=settings("preprocess"),
        fingerprint=fingerprint("preprocess"),
    message:
        "Preprocess {wildcards.dataset}, part {wildcards.shard}"
    shell:
        step_command(" --cases {input.cases:q} --store {output.store:q}")
