"""What is compared: a transformer of the file's shapes with other attentions and number types."""

from dataclasses import dataclass

from inhibi.eval.energy.graph import DOT_PRODUCT, I_BERT, INHIBITOR

FLOAT_BYTES = {"fp16": 2, "fp32": 4}


@dataclass(frozen=True)
class Variant:
    """number: "int" for the file's integers, else a float type; attention: an operator."""

    name: str
    attention: str
    number: str

    @property
    def integer(self) -> bool:
        return self.number not in FLOAT_BYTES


INTEGER_INHIBITOR = Variant("integer inhibitor", INHIBITOR, "int")
INTEGER_DOT_PRODUCT = Variant("integer dot product", DOT_PRODUCT, "int")
INTEGER_I_BERT = Variant("integer dot product, polynomial softmax", I_BERT, "int")
FP16_DOT_PRODUCT = Variant("fp16 dot product", DOT_PRODUCT, "fp16")
FP32_DOT_PRODUCT = Variant("fp32 dot product", DOT_PRODUCT, "fp32")
FP32_INHIBITOR = Variant("fp32 inhibitor", INHIBITOR, "fp32")

# In the order of every table: on equal terms first.
VARIANTS = (
    INTEGER_INHIBITOR,
    INTEGER_DOT_PRODUCT,
    INTEGER_I_BERT,
    FP16_DOT_PRODUCT,
    FP32_DOT_PRODUCT,
    FP32_INHIBITOR,
)
