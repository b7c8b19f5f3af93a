"""The settings of the steps, one model each.

The plan creates the settings, the step reads them, and the audit compares them.
"""
