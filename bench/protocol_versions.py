"""Names of protocols with the version of the library they follow: what a name without one means, now and before.

A library may change what it computes under one name. `torchcam-0.5` says which version is followed; `torchcam` is the
newest known one, and a score's stamp says which that was.
"""

import re

# Of each library all known versions, oldest first; scores stamped before names had versions are those of the first.
VERSIONS = {"quantus": ("0.6",), "torchcam": ("0.4", "0.5"), "attribench": ("0.1",), "latec": ("2024",)}
# Stamps of scores and curves of logits, also of those without a version.
OF_LOGITS = {"attribench", "attribench-0.1", "torchcam-0.5"}


def newest(protocol: str) -> str:
    """The protocol with its version: the newest where the name has none; names that need none as they are."""
    versions = VERSIONS.get(protocol)
    return f"{protocol}-{versions[-1]}" if versions else protocol


def versioned(stamp: str) -> str:
    """What a stamp says today, settings behind the name included: "torchcam, step 7" is "torchcam-0.4, step 7"."""
    name, comma, settings = stamp.partition(",")
    versions = VERSIONS.get(name)
    return f"{name}-{versions[0]}{comma}{settings}" if versions else stamp


def versioned_label(label: str, stamp: str) -> str:
    """A metric's label with the version of its stamp, so that labels of any age can be compared."""
    name = versioned(stamp).partition(",")[0]
    library = name.partition("-")[0]
    return re.sub(rf"\bprotocol={library}(-[\w.]+)?(?=[,)])", f"protocol={name}", label)
