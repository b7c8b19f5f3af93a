# All records in one manifest, and everything on one page.


rule manifest:
    input:
        records=[f"{RESULTS}/{record}" for record in PLAN.records()],
    output:
        manifest=f"{RESULTS}/manifest.json",
        record=f"{RESULTS}/records/manifest.json",
    log:
        f"{RESULTS}/logs/manifest.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        step="manifest",
        settings=settings("manifest"),
        fingerprint=fingerprint("manifest"),
        results=lambda wildcards, output: os.path.dirname(output.manifest),
    message:
        "Chain the records of all steps"
    shell:
        step_command(" --results {params.results:q} --manifest {output.manifest:q}")


rule report_page:
    input:
        cases=expand(f"{RESULTS}/data/{{dataset}}/cases.{{suffix}}", dataset=PLAN.datasets, suffix=["json", "csv"]),
        pages=expand(f"{RESULTS}/data/{{dataset}}/cases.html", dataset=PLAN.datasets),
        folds=expand(f"{RESULTS}/data/{{dataset}}/folds.csv", dataset=PLAN.datasets),
        scores=expand(f"{RESULTS}/scores/{{dataset}}.csv", dataset=PLAN.datasets),
        statistics=expand(rules.statistics.output.results, dataset=PLAN.datasets),
        tables=expand(rules.tables.output.tables, dataset=PLAN.datasets),
        figures_losses=rules.figures_losses.output.figures,
        figures=expand(rules.figures_dataset.output.figures, dataset=PLAN.datasets),
        texts_losses=rules.figures_losses.output.texts,
        texts=expand(rules.figures_dataset.output.texts, dataset=PLAN.datasets),
        sweeps=expand(
            [*rules.figures_sweep.output.figures, *rules.figures_sweep.output.texts],
            dataset=[dataset for dataset in PLAN.datasets if PLAN.has_sweep(dataset)],
        ),
        trainings=[
            f"{RESULTS}/training/{dataset}/{loss}/fold_{fold}/{name}"
            for dataset in PLAN.datasets
            for loss in PLAN.losses(dataset)
            for fold in PLAN.folds(dataset)
            for name in ("training.json", "history.csv")
        ],
        manifest=f"{RESULTS}/manifest.json",
        templates=templates("base.html.j2"),
        published=[file for dataset in PLAN.datasets for file in published_files(dataset)],
    output:
        page=report(
            f"{RESULTS}/report.html", caption="../reports/captions/report.rst", category="Report", labels={"file": "the report"}
        ),
        sums=f"{RESULTS}/SHA256SUMS",
        record=f"{RESULTS}/records/report.json",
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=10,
    params:
        step="report_page",
        settings=settings("report_page"),
        fingerprint=fingerprint("report_page"),
        results=lambda wildcards, output: os.path.dirname(output.page),
    message:
        "Assemble the report"
    shell:
        step_command(
            " --results {params.results:q} --record-file {output.record:q} --page {output.page:q} --sums {output.sums:q}"
        )
