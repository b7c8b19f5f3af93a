# Where the images are, whether they are sound, and which fold each case belongs to.


# Downloads and imports happen where the workflow was started: compute nodes are often offline.
localrules:
    obtain,


rule obtain:
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


rule check:
    input:
        files=f"{RESULTS}/data/{{dataset}}/files.json",
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
    threads: 4
    resources:
        mem_mb=growing(4000),
        runtime=120,
    params:
        step="check",
        settings=settings("check"),
        fingerprint=fingerprint("check"),
    message:
        "Check every case of {wildcards.dataset}"
    shell:
        step_command(" --files {input.files:q} --cases {output.cases:q} --table {output.table:q}")


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
    message:
        "Assign the cases of {wildcards.dataset} to folds"
    shell:
        step_command(" --cases {input.cases:q} --folds {output.folds:q}")
