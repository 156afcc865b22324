// One function for each operator of the domain ai.inhibi: checks a node's inputs and computes.
#pragma once

namespace inhibi {

class Call;

void requantize(Call& call);
void requantize_lookup(Call& call);
void add_layer_norm(Call& call);
void embed_layer_norm(Call& call);
void inhibitor_attention(Call& call);
void dot_product_attention(Call& call);

}  // namespace inhibi
