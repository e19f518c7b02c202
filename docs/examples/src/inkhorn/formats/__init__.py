"""The formats that everybody gets; importing them is what registers them."""

from inkhorn.formats import json as json
from inkhorn.formats import outline as outline
