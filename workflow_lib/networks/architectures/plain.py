"""MIScnn's plain U-Net, which no longer works."""

NAME = "plain"
LABEL = "Plain U-Net"
CITATION = "F. Isensee, K. H. Maier-Hein, An Attempt at Beating the 3D U-Net, 2019, arXiv:1908.02182."
REFUSED = (
    "it imports tensorflow_addons for its instance normalisation, which needs Keras 2 and is no longer developed, so that it is "
    "not installed (ModuleNotFoundError: No module named 'tensorflow_addons')"
)
