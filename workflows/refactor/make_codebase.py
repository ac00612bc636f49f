"""Write a small code base in the style of another language: two modules, and tests that use them."""

import os
import sys

FILES = {
    "src/__init__.py": "",
    "src/core/__init__.py": "",
    "src/core/orders.py": '''"""Orders."""

from src.utils.money import roundHalfUp


def orderTotal(prices, discountRate=0):
    """Return what an order costs in cents."""
    return roundHalfUp(sum(prices) * (1 - discountRate))


def isLargeOrder(prices):
    return orderTotal(prices) > 100_000
''',
    "src/utils/__init__.py": "",
    "src/utils/money.py": '''"""Money."""


def roundHalfUp(amount):
    return int(amount + 0.5)


def formatCents(cents):
    return f"{cents // 100}.{cents % 100:02}"
''',
    "tests/__init__.py": "",
    "tests/test_orders.py": """import unittest

from src.core import orders
from src.utils import money


class Orders(unittest.TestCase):
    def test_total(self):
        self.assertEqual(orders.orderTotal([1000, 2345]), 3345)

    def test_large(self):
        self.assertTrue(orders.isLargeOrder([60_000, 50_000]))

    def test_format(self):
        self.assertEqual(money.formatCents(money.roundHalfUp(1204.5)), "12.05")
""",
}

codebase = sys.argv[1]
for name, text in FILES.items():
    path = os.path.join(codebase, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
with open(os.path.join(codebase, ".gitignore"), "w", encoding="utf-8") as file:
    file.write("*\n")
print(f"{len(FILES)} files in {codebase}")
