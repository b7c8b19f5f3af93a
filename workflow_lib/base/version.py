"""Version of the workflow. It is not part of any fingerprint, so that a release alone makes no result stale."""

VERSION = "0.1.0"
