"""What one rank says of one step."""

from moestro.v1 import report_pb2
from moestro_engine.model.balance import StepBalance
from moestro_engine.training.coefficients import ControlValues


def layer_reports(balance: StepBalance, first_layer: int, control: ControlValues) -> list[report_pb2.LayerReport]:
    """Counts of this rank's tokens for each MoE layer of a stage; reads the device once.

    Gates choose for every token, so a layer without assignments has no gate: dense layers are left out.
    """
    routed, dropped = balance.routed_LE.tolist(), balance.dropped_LE.tolist()
    losses, z_losses = balance.loss_L.tolist(), balance.z_loss_L.tolist()
    return [
        report_pb2.LayerReport(
            layer=first_layer + index,
            routed=map(int, routed[index]),
            dropped=map(int, dropped[index]),
            aux_loss_sum=losses[index],
            aux_loss_count=balance.num_micro_batches,
            aux_coefficient=control.coefficients[first_layer + index],
            z_loss_sum=z_losses[index],
        )
        for index in range(balance.num_layers)
        if any(routed[index])
    ]
