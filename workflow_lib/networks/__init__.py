"""Networks: runtime, architectures (one file each), construction, weights and costs."""
