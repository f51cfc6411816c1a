"""A seeded permutation of 0..n-1 that is computed for one index at a time and stored nowhere.

A Feistel network over the smallest even number of bits that holds n, walked until the value falls
inside (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). It depends on no library's
random numbers, so a run continues in the same order whatever versions are installed.
"""

NUM_ROUNDS = 6
MASK_64 = (1 << 64) - 1


def mix64(value: int) -> int:
    """SplitMix64's finaliser: 64 bits in, 64 well-mixed bits out."""
    value = (value + 0x9E3779B97F4A7C15) & MASK_64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK_64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK_64
    return value ^ (value >> 31)


class Permutation:
    """A bijection of range(size), chosen by the key."""

    def __init__(self, size: int, key: int) -> None:
        if size < 1:
            raise ValueError(f"cannot permute {size} things")
        self.size = size
        self._half_bits = max(1, (max(size - 1, 1).bit_length() + 1) // 2)
        self._half_mask = (1 << self._half_bits) - 1
        self._round_keys = [mix64(mix64(key) + round_index) for round_index in range(NUM_ROUNDS)]

    def __getitem__(self, index: int) -> int:
        if not 0 <= index < self.size:
            raise IndexError(f"{index} is not in range({self.size})")
        value = self._encrypt(index)
        while value >= self.size:
            value = self._encrypt(value)
        return value

    def _encrypt(self, value: int) -> int:
        left, right = value >> self._half_bits, value & self._half_mask
        for key in self._round_keys:
            left, right = right, left ^ (mix64(right ^ key) & self._half_mask)
        return (left << self._half_bits) | right
