"""`python -m sample_company`."""

import sys

from sample_company.cli import main

sys.exit(main())
