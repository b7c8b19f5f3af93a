# One training: one loss on one fold.


rule train:
    input:
        cases=f"{RESULTS}/data/{{dataset}}/cases.json",
        folds=f"{RESULTS}/data/{{dataset}}/folds.csv",
        stores=over_shards(f"{RESULTS}/preprocessed/{{dataset}}/shard_{{shard}}"),
    output:
        weights=f"{RESULTS}/training/{{dataset}}/{{loss}}/fold_{{fold}}/model.weights.h5",
        history=f"{RESULTS}/training/{{dataset}}/{{loss}}/fold_{{fold}}/history.csv",
        summary=f"{RESULTS}/training/{{dataset}}/{{loss}}/fold_{{fold}}/training.json",
        record=f"{RESULTS}/records/train/{{dataset}}/{{loss}}/fold_{{fold}}.json",
    log:
        f"{RESULTS}/logs/train/{{dataset}}/{{loss}}/fold_{{fold}}.log",
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
        step="train",
        settings=settings("train"),
        fingerprint=fingerprint("train"),
        # Where they lie is no part of the fingerprint, what they say is. A function that takes `resources` is not compared.
        loss_files=lambda wildcards, resources: PLAN.loss_files(wildcards.loss),
        lineage=lambda wildcards, resources: PLAN.lineage(wildcards.dataset, wildcards.loss, int(wildcards.fold)),
        # Not an output: Snakemake deletes the outputs of a job that dies, and the training shall go on from here.
        checkpoints=f"{RESULTS}/checkpoints/{{dataset}}/{{loss}}/fold_{{fold}}",
        # What TensorBoard shows of it; the same folder for all attempts.
        events=f"{RESULTS}/logs/tensorboard/{{dataset}}/{{loss}}/fold_{{fold}}",
    message:
        "Train {wildcards.loss} on {wildcards.dataset}, fold {wildcards.fold}"
    shell:
        step_command(
            " --cases {input.cases:q} --folds {input.folds:q} --stores {input.stores:q} --loss-files {params.loss_files:q}"
            " --checkpoint-seconds {resources.checkpoint_seconds} --gpus {resources.gpu}"
            " --batch-processes {resources.batch_processes} --checkpoints {params.checkpoints:q} --events {params.events:q}"
            " --keep-state {resources.keep_state} --lineage {params.lineage}"
            " --weights {output.weights:q} --history {output.history:q} --summary {output.summary:q}"
        )
