# All records in one manifest, and everything on one page.


rule manifest:
    input:
        records=[f"{RESULTS}/{record}" for record in PLAN.records()],
    output:
        **writes("manifest"),
    log:
        logs("manifest"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        **job(
            "manifest",
            results=lambda wildcards, output: os.path.dirname(output.manifest),
        ),
    message:
        "Chain the records of all steps"
    shell:
        command("manifest")


rule report_page:
    input:
        results=made(*layout.STEPS["report_page"].after),
    output:
        **writes("report_page"),
    log:
        logs("report_page"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=10,
    params:
        **job(
            "report_page",
            results=lambda wildcards, output: os.path.dirname(output.page),
        ),
    message:
        "Assemble the report"
    shell:
        command("report_page")
