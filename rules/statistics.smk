# Tests, intervals and the paper's tables.

from workflow_lib.statistics import registry as statistics
from workflow_lib.tables import registry as tables


rule statistics:
    input:
        scores=f"{RESULTS}/scores/{{dataset}}.csv",
    output:
        results=[f"{RESULTS}/statistics/{{dataset}}/{name}.csv" for name in statistics.names()],
        record=f"{RESULTS}/records/statistics/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/statistics/{{dataset}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=60,
    params:
        step="statistics",
        settings=settings("statistics"),
        fingerprint=fingerprint("statistics"),
    message:
        "Test the differences between the losses on {wildcards.dataset}"
    shell:
        step_command(" --scores {input.scores:q} --results {output.results:q}")


TABLES_PATTERN = f"{RESULTS}/tables/{{{{dataset}}}}_{{name}}.{{suffix}}"


rule tables:
    input:
        results=rules.statistics.output.results,
        cases=f"{RESULTS}/data/{{dataset}}/cases.json",
        published=lambda wildcards: published_files(wildcards.dataset),
    output:
        tables=[
            *shown(TABLES_PATTERN, "table", tables.names(), ["csv"]),
            *shown(TABLES_PATTERN, "table", tables.latex_names(), ["tex"]),
        ],
        record=f"{RESULTS}/records/tables/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/tables/{{dataset}}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        step="tables",
        settings=settings("tables"),
        fingerprint=fingerprint("tables"),
    message:
        "Write the tables of {wildcards.dataset}"
    shell:
        step_command(" --results {input.results:q} --cases {input.cases:q} --tables {output.tables:q}")
