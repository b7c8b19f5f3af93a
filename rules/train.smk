# One training: one loss on one fold.


rule train:
    input:
        **reads("train"),
    output:
        **writes("train"),
    log:
        logs("train"),
    benchmark:
        benchmark_of("train")
    conda:
        ENVIRONMENT
    threads: of_training("threads")
    resources:
        gpu=of_training("gpus"),
        cpu_trainings=lambda wildcards: int(of_training("gpus")(wildcards) == 0),
        checkpoint_seconds=lambda wildcards: int(60 * of_training("checkpoint_minutes")(wildcards)),
        keep_state=lambda wildcards: int(of_training("keep_state")(wildcards)),
        batch_processes=of_training("processes_for_batches"),
        mem_mb=memory_of_training,
        runtime=minutes_of_training,
    params:
        **job(
            "train",
            # Their content is part of the fingerprint, their path is not. Snakemake does not compare functions with `resources`.
            loss_files=lambda wildcards, resources: PLAN.loss_files(wildcards.loss),
            lineage=lambda wildcards, resources: PLAN.lineage(wildcards.dataset, wildcards.loss, int(wildcards.fold)),
        ),
    message:
        "Train {wildcards.loss} on {wildcards.dataset}, fold {wildcards.fold}"
    shell:
        command("train")
