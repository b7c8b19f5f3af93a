# The cases of a fold, segmented by the network that never saw them in training, on their original grids.


rule predict:
    input:
        cases=f"{RESULTS}/data/{{dataset}}/cases.json",
        folds=f"{RESULTS}/data/{{dataset}}/folds.csv",
        stores=over_shards(f"{RESULTS}/preprocessed/{{dataset}}/shard_{{shard}}"),
        weights=f"{RESULTS}/training/{{dataset}}/{{loss}}/fold_{{fold}}/model.weights.h5",
        summary=f"{RESULTS}/training/{{dataset}}/{{loss}}/fold_{{fold}}/training.json",
    output:
        predictions=directory(f"{RESULTS}/predictions/{{dataset}}/{{loss}}/fold_{{fold}}"),
        record=f"{RESULTS}/records/predict/{{dataset}}/{{loss}}/fold_{{fold}}.json",
    log:
        f"{RESULTS}/logs/predict/{{dataset}}/{{loss}}/fold_{{fold}}.log",
    conda:
        ENVIRONMENT
    threads: of_training("threads")
    resources:
        gpu=lambda wildcards: min(1, of_training("gpus")(wildcards)),
        mem_mb=lambda wildcards, attempt: of_training("memory_mb")(wildcards) * growth(attempt),
        runtime=lambda wildcards, attempt: 240 * min(attempt, 3),
    params:
        step="predict",
        settings=settings("predict"),
        fingerprint=fingerprint("predict"),
    message:
        "Predict {wildcards.dataset}, {wildcards.loss}, fold {wildcards.fold}"
    shell:
        step_command(
            " --cases {input.cases:q} --folds {input.folds:q} --stores {input.stores:q}"
            " --gpus {resources.gpu} --weights {input.weights:q} --summary {input.summary:q}"
            " --predictions {output.predictions:q}"
        )
