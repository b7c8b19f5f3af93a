# Where the images are, whether they are sound, and which fold each case belongs to.


# Downloads and imports happen where the workflow was started: compute nodes are often offline.
localrules:
    obtain,


rule obtain:
    input:
        # Here and in `all`: one of them stands in every graph.
        no_input_but_records_compared,
    output:
        files=f"{RESULTS}/data/{{dataset}}/files.json",
        record=f"{RESULTS}/records/obtain/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/obtain/{{dataset}}.log",
    conda:
        ENVIRONMENT
    threads: 4
    params:
        step="obtain",
        settings=settings("obtain"),
        fingerprint=fingerprint("obtain"),
    message:
        "Obtain {wildcards.dataset}: find, download or generate its files"
    shell:
        step_command(" --files {output.files:q}", shown=True)


rule inspect:
    input:
        files=f"{RESULTS}/data/{{dataset}}/files.json",
    output:
        inspection=f"{RESULTS}/data/{{dataset}}/inspection.json",
        record=f"{RESULTS}/records/inspect/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/inspect/{{dataset}}.log",
    conda:
        ENVIRONMENT
    threads: 4
    resources:
        mem_mb=growing(8000),
        runtime=240,
    params:
        step="inspect",
        settings=settings("inspect"),
        fingerprint=fingerprint("inspect"),
    message:
        "Read every case of {wildcards.dataset}"
    shell:
        step_command(" --files {input.files:q} --inspection {output.inspection:q}")


# No input of `check`: a new look of the page decides nothing again. Started before it, to be there when a fault stops the study.
rule cases_page:
    input:
        inspection=f"{RESULTS}/data/{{dataset}}/inspection.json",
        templates=templates("cases_page.html.j2"),
    output:
        page=report(
            f"{RESULTS}/data/{{dataset}}/cases.html",
            caption="../reports/captions/cases.rst",
            category="Data",
            labels={"dataset": "{dataset}", "table": "cases, to look at"},
        ),
        record=f"{RESULTS}/records/cases_page/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/cases_page/{{dataset}}.log",
    priority: 10
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        step="cases_page",
        settings=settings("cases_page"),
        fingerprint=fingerprint("cases_page"),
    message:
        "Show the cases of {wildcards.dataset}, with faults and class imbalance"
    shell:
        step_command(" --inspection {input.inspection:q} --page {output.page:q}")


rule check:
    input:
        inspection=f"{RESULTS}/data/{{dataset}}/inspection.json",
    output:
        cases=f"{RESULTS}/data/{{dataset}}/cases.json",
        table=report(
            f"{RESULTS}/data/{{dataset}}/cases.csv",
            caption="../reports/captions/cases.rst",
            category="Data",
            labels={"dataset": "{dataset}", "table": "cases"},
        ),
        record=f"{RESULTS}/records/check/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/check/{{dataset}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        step="check",
        settings=settings("check"),
        fingerprint=fingerprint("check"),
    message:
        "Decide which cases of {wildcards.dataset} are used"
    shell:
        step_command(" --inspection {input.inspection:q} --cases {output.cases:q} --table {output.table:q}")


rule split:
    input:
        cases=f"{RESULTS}/data/{{dataset}}/cases.json",
    output:
        folds=f"{RESULTS}/data/{{dataset}}/folds.csv",
        record=f"{RESULTS}/records/split/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/split/{{dataset}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        step="split",
        settings=settings("split"),
        fingerprint=fingerprint("split"),
        # Where they lie is no part of the fingerprint, what they say is. A function that takes `resources` is not compared.
        groups=lambda wildcards, resources: PLAN.division_files(wildcards.dataset)["groups"],
        table=lambda wildcards, resources: PLAN.division_files(wildcards.dataset)["table"],
    message:
        "Divide the cases of {wildcards.dataset}"
    shell:
        step_command(" --cases {input.cases:q} --groups {params.groups:q} --table {params.table:q} --folds {output.folds:q}")
