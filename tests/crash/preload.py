"""Imported by the fork server alone: all that a life of the gateway imports, once for all of them.

Starting costs a tenth that way, and killing is what most tests here do.
"""
# ruff: noqa: F401 (imported to be there)

import gc

import anyio._backends._asyncio
import dbos._sys_db_sqlite
import h11
import httpcore2
import httptools
import mistral_common.protocol.instruct.request
import mistralai.client.chat
import psycopg
import rich.console
import truststore
import typer._adapters
import typer._click.decorators
import uvicorn.lifespan.off
import uvicorn.loops.uvloop
import uvicorn.protocols.http.auto
import uvloop

import gateway.cli.accounts
import gateway.cli.audit
import gateway.cli.migrate
import gateway.cli.serve
import gateway.cli.worker
import gateway.demo.scripted_model
import tests.crash.counter
import tests.crash.process

tests.crash.process.put_points()

# A full collection looks at everything that was imported; a life begins with one.
gc.collect()
gc.freeze()
