"""The section `augmentation`: random changes of the training patches."""

from pydantic import Field, field_validator

from workflow_lib.study.sections.section import NotNegative, Positive, Range, Section, ascending


class Augmentation(Section):
    """Random changes of the training patches. null turns one off. Ranges are MIScnn's."""

    probability: float = Field(
        0.15, ge=0, le=1, description="Probability of each kind per sample (mirroring apart: always, 0.5 per axis)."
    )
    mirror: bool = Field(True, description="Mirror every axis with probability 0.5.")
    contrast: tuple[Positive, Positive] | None = Field(
        (0.3, 3.0), description="Factor on the distance from the mean of the volume; range preserved."
    )
    brightness: tuple[Positive, Positive] | None = Field((0.5, 2.0), description="Factor on the intensity.")
    gamma: tuple[Positive, Positive] | None = Field(
        (0.7, 1.5), description="Exponent on the intensity scaled to [0, 1]; mean and std kept."
    )
    noise: tuple[NotNegative, NotNegative] | None = Field(
        (0.0, 0.05), description="Standard deviation of additive Gaussian noise (MIScnn calls it variance)."
    )
    elastic_alpha: tuple[NotNegative, NotNegative] | None = Field(
        (0.0, 900.0), description="Magnitude of the elastic deformation; null: none."
    )
    elastic_sigma: tuple[Positive, Positive] = Field((9.0, 13.0), description="Smoothness of the elastic deformation, in voxels.")
    rotation: Range | None = Field((-15.0, 15.0), description="Angle around each axis, in degrees.")
    scaling: tuple[Positive, Positive] | None = Field(
        None, description="Zoom factor; off in the paper, (0.85, 1.25) in MIScnn's default."
    )

    @field_validator("contrast", "brightness", "gamma", "noise", "elastic_alpha", "elastic_sigma", "rotation", "scaling")
    @classmethod
    def _ranges_ascend(cls, value: Range | None) -> Range | None:
        return ascending(value, strictly=False)
