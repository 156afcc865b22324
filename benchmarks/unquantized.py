"""The float model of a quantized student's own weights: every quantizer off."""

from torch import Tensor, nn

from inhibi.qat.operators import operators, run
from inhibi.qat.student import Output, QuantStudent


class Unquantized(nn.Module):
    """What rounding alone changes: it stands between training's float student and the integers."""

    def __init__(self, student: QuantStudent) -> None:
        super().__init__()
        self.student, self.config = student, student.config

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        output_hidden_states: bool = False,
    ) -> Output:
        """input_ids, attention_mask, token_type_ids int64 [B,T]; there are no hidden states."""
        ids = self.student.table_ids(input_ids, token_type_ids)
        chain = operators(self.student, ids, attention_mask.bool())
        return Output(run(chain, quantized=())["logits"], [])
