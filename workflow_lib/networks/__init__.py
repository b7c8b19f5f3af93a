"""Networks: their runtime, the architectures (one file each), how one is built, its weights, its costs."""
