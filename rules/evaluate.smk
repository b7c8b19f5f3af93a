# Scores per case and class, then one table per dataset.


rule evaluate:
    input:
        cases=f"{RESULTS}/data/{{dataset}}/cases.json",
        folds=f"{RESULTS}/data/{{dataset}}/folds.csv",
        predictions=f"{RESULTS}/predictions/{{dataset}}/{{loss}}/fold_{{fold}}",
    output:
        scores=f"{RESULTS}/scores/{{dataset}}/{{loss}}/fold_{{fold}}.csv",
        record=f"{RESULTS}/records/evaluate/{{dataset}}/{{loss}}/fold_{{fold}}.json",
    log:
        f"{RESULTS}/logs/evaluate/{{dataset}}/{{loss}}/fold_{{fold}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=60,
    params:
        step="evaluate",
        settings=settings("evaluate"),
        fingerprint=fingerprint("evaluate"),
    message:
        "Score {wildcards.dataset}, {wildcards.loss}, fold {wildcards.fold}"
    shell:
        step_command(
            " --cases {input.cases:q} --folds {input.folds:q} --predictions {input.predictions:q}" " --scores {output.scores:q}"
        )


rule collect:
    input:
        cases=f"{RESULTS}/data/{{dataset}}/cases.json",
        folds=f"{RESULTS}/data/{{dataset}}/folds.csv",
        parts=over_losses_and_folds(f"{RESULTS}/scores/{{dataset}}/{{loss}}/fold_{{fold}}.csv"),
        summaries=over_losses_and_folds(f"{RESULTS}/training/{{dataset}}/{{loss}}/fold_{{fold}}/training.json"),
    output:
        scores=report(
            f"{RESULTS}/scores/{{dataset}}.csv",
            caption="../reports/captions/scores.rst",
            category="Scores",
            labels={"dataset": "{dataset}", "table": "every case"},
        ),
        record=f"{RESULTS}/records/collect/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/collect/{{dataset}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        step="collect",
        settings=settings("collect"),
        fingerprint=fingerprint("collect"),
    message:
        "Collect the scores of {wildcards.dataset}"
    shell:
        step_command(
            " --cases {input.cases:q} --folds {input.folds:q} --parts {input.parts:q} --summaries {input.summaries:q}"
            " --scores {output.scores:q}"
        )
