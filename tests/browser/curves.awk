# A trainer that learns nothing and tells smooth curves of eight metrics, which depend on its arguments: seed, epochs,
# and whatever else.
function random() {
  state = (state * 16807) % 2147483647
  return state / 2147483647
}
BEGIN {
  letters = "abcdefghijklmnopqrstuvwxyz0123456789.-_"
  mix = 1
  for (i = 3; i < ARGC; i++)
    for (k = 1; k <= length(ARGV[i]); k++)
      mix = (mix * 31 + index(letters, substr(ARGV[i], k, 1))) % 65521
  state = mix + 1
  for (i = 0; i < 5; i++) random()
  top = 0.6 + 0.35 * random()
  rate = 2 + 18 * random()
  state = mix * 7919 + ARGV[1] * 104729 + 1
  for (i = 0; i < 5; i++) random()
  top += 0.03 * (random() - 0.5)
  for (epoch = 1; epoch <= ARGV[2]; epoch++) {
    right = top * (1 - exp(-epoch / rate)) + 0.02 * (random() - 0.5)
    loss = 2.3 * (1 - right) + 0.04 * random()
    printf "{\"epoch\": %d, \"val_accuracy\": %.17g, \"val_loss\": %.17g, \"train_accuracy\": %.17g, \"train_loss\": %.17g, ", epoch, right, loss, right * 1.02, loss * 0.95
    printf "\"lr\": %.17g, \"grad_norm\": %.17g, \"val_top5\": %.17g, \"weight_norm\": %.17g, \"seconds\": %.3f}\n", 0.1 / (1 + epoch / 10), 5 * exp(-epoch / 20) + random(), 1 - (1 - right) ^ 3, 10 + sqrt(epoch) * top, 0.5 + random() / 10
  }
}
