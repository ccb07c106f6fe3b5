"""The live server: the loop around the machine, its engines and journal, the HTTP API, keys and roles.

Here lives everything that needs a clock, a network or a thread. What is decided lives in the broker, how it is
remembered in the journal, how it is run in the engines; who may ask for what is said in `access`.
"""

from stargate.server.api.app import create_app, openapi
from stargate.server.config import Limits, ServerConfig
from stargate.server.house import House, open_house
from stargate.server.serve import serve

__all__ = ["House", "Limits", "ServerConfig", "create_app", "open_house", "openapi", "serve"]
