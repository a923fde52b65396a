"""What a provider's author tests with: see docs/adding-a-provider.md. Needs pytest and hypothesis (`landed[testing]`).

Nothing of Landed itself imports it.
"""

import pytest

# So that a failure of the contract shows the values, as in a test file of one's own.
pytest.register_assert_rewrite("landed.testing.provider_contract")
