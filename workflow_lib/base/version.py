"""Version of the workflow. Not part of any fingerprint: a release by itself reruns nothing."""

VERSION = "0.1.0"
