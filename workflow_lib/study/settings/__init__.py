"""The settings of each step, one model each: built by the plan, read by the step, and compared by the audit."""
