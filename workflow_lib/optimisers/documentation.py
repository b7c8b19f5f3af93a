"""Generation of docs/optimisers.md from the optimisers (`make generated`)."""

from workflow_lib.base.parameters import parameter_rows
from workflow_lib.optimisers import registry

HEAD = """# Optimisers

<!-- Written by `make generated` from workflow_lib/optimisers; do not edit. -->

```yaml
training:
  optimiser: adamw                             # adam is the default, and the optimiser of the Mixed Focal loss paper
  learning_rate: 3.0e-4                        # the initial one; the plateau schedule lowers it
  optimiser_parameters: {weight_decay: 0.01}   # those that differ from the defaults below
```

`momentum` and `nesterov` are also keys of `training` itself. A parameter that the optimiser does not have is a fault of the
study.

The optimisers are Keras's. On TensorFlow and one device they are written into the graph of a step in fewer operations; weights
and state are Keras's to the last bit. Checkpoints hold their state, so that a training that was stopped goes on as if it had not
been.

An optimiser of your own is a file in `workflow_lib/optimisers/`; `interface.py` there says what it holds. It is found by its
name, and no other file changes.

"""


def text() -> str:
    """Return the content of docs/optimisers.md."""
    return HEAD + "\n".join(map(_part, registry.FAMILY.names()))


def _part(name: str) -> str:
    member = registry.get(name)
    rows = [f"| `{row.name}` | `{row.default}` | {row.accepted} | {row.meaning} |" for row in parameter_rows(member.Parameters)]
    table = "\n".join(["| parameter | default | accepted | meaning |", "|---|---|---|---|", *rows])
    return f"## {member.LABEL}: `{name}`\n\n{' '.join(member.NOTES)}\n\n{table}\n\nSource: {member.CITATION}\n"
