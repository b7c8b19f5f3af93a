# The cases of a fold, segmented by the network that was not trained on them, on their original grids.


rule predict:
    input:
        **reads("predict"),
    output:
        **writes("predict"),
    log:
        logs("predict"),
    benchmark:
        benchmark_of("predict")
    conda:
        ENVIRONMENT
    threads: of_training("threads")
    resources:
        gpu=lambda wildcards: min(1, of_training("gpus")(wildcards)),
        mem_mb=lambda wildcards, attempt: of_training("memory_mb")(wildcards) * growth(attempt),
        runtime=lambda wildcards, attempt: 240 * min(attempt, 3),
    params:
        **job("predict"),
    message:
        "Predict {wildcards.dataset}, {wildcards.loss}, fold {wildcards.fold}"
    shell:
        command("predict")
