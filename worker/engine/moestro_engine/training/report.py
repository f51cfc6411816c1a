"""What one rank says of one step."""

from moestro.v1 import report_pb2
from moestro_engine.model.balance import StepBalance


def layer_reports(balance: StepBalance, first_layer: int, coefficients: tuple[float, ...]) -> list[report_pb2.LayerReport]:
    """Counts of this rank's tokens for each layer of its stage; reads the device once."""
    routed, dropped = balance.routed_LE.tolist(), balance.dropped_LE.tolist()
    losses = balance.loss_L.tolist()
    return [
        report_pb2.LayerReport(
            layer=first_layer + index,
            routed=map(int, routed[index]),
            dropped=map(int, dropped[index]),
            aux_loss_sum=losses[index],
            aux_loss_count=balance.num_micro_batches,
            aux_coefficient=coefficients[first_layer + index],
        )
        for index in range(balance.num_layers)
    ]
