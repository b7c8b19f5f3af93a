# Tests, intervals and the paper's tables.


rule statistics:
    input:
        **reads("statistics"),
    output:
        **writes("statistics"),
    log:
        logs("statistics"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=60,
    params:
        **job("statistics"),
    message:
        "Test the differences between the losses on {wildcards.dataset}"
    shell:
        command("statistics")


rule tables:
    input:
        **reads("tables"),
    output:
        **writes("tables"),
    log:
        logs("tables"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        **job("tables"),
    message:
        "Write the tables of {wildcards.dataset}"
    shell:
        command("tables")
