# The location of the images, their faults, and the fold of each case.


# Downloads and imports run where the workflow was started, because compute nodes are often offline.
localrules:
    obtain,


rule obtain:
    input:
        # Also in the targets. Every DAG contains one of them.
        no_input_but_results_compared,
    output:
        **writes("obtain"),
    log:
        logs("obtain"),
    conda:
        ENVIRONMENT
    threads: 4
    params:
        **job("obtain"),
    message:
        "Obtain {wildcards.dataset}: find, download or generate its files"
    shell:
        command("obtain", on_screen=True)


rule inspect:
    input:
        **reads("inspect"),
    output:
        **writes("inspect"),
    log:
        logs("inspect"),
    conda:
        ENVIRONMENT
    threads: 4
    resources:
        mem_mb=growing(8000),
        runtime=240,
    params:
        **job("inspect"),
    message:
        "Read every case of {wildcards.dataset}"
    shell:
        command("inspect")


# Not an input of `check`, so that a changed page does not repeat the check. Its priority makes it run first, so that the page
# exists if a fault stops the study.
rule cases_page:
    input:
        **reads("cases_page"),
    output:
        **writes("cases_page"),
    log:
        logs("cases_page"),
    priority: 10
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        **job("cases_page"),
    message:
        "Show the cases of {wildcards.dataset}, with faults and class imbalance"
    shell:
        command("cases_page")


rule check:
    input:
        **reads("check"),
    output:
        **writes("check"),
    log:
        logs("check"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        **job("check"),
    message:
        "Decide which cases of {wildcards.dataset} are used"
    shell:
        command("check")


rule split:
    input:
        **reads("split"),
    output:
        **writes("split"),
    log:
        logs("split"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        **job(
            "split",
            # Their content is part of the fingerprint, their path is not. Snakemake does not compare functions with `resources`.
            groups=lambda wildcards, resources: PLAN.division_files(wildcards.dataset)["groups"],
            table=lambda wildcards, resources: PLAN.division_files(wildcards.dataset)["table"],
        ),
    message:
        "Divide the cases of {wildcards.dataset}"
    shell:
        command("split")
