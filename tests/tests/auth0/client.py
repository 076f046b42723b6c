import os

from auth0.authentication import GetToken
from auth0.management.client import Auth0
from auth0.management.core.api_error import ApiError

ENDPOINT = os.environ["PROVISION_AUTH0_ENDPOINT"]


token = GetToken(
    ENDPOINT.removeprefix("http://"),
    os.environ["AUTH0_CLIENT_ID"],
    client_secret=os.environ["AUTH0_CLIENT_SECRET"],
    protocol="http",
).client_credentials("https://acme.eu.auth0.com/api/v2/")
assert token["token_type"] == "Bearer" and "create:clients" in token["scope"].split(), token
client = Auth0(base_url=ENDPOINT + "/api/v2", token=token["access_token"])

# What the binary made, and what others have.
found = {one.name: one for one in client.clients.list(is_global=False)}
assert set(found) == {"wandb-prod", "Login of the team"}, found
ours = client.clients.get(found["wandb-prod"].client_id)
assert ours.app_type == "spa" and ours.token_endpoint_auth_method == "none" and ours.oidc_conformant, ours
assert ours.callbacks == ["https://wandb.example.com/oidc/callback", "https://wandb.example.com"], ours.callbacks
assert ours.client_metadata["provision-deployment"] == "wandb-prod" and ours.client_secret is None, ours
assert any(one.global_ for one in client.clients.list()), "there is no global client"

# Metadata is merged key by key, lists are replaced, names are not unique, and deleting what is gone is well.
made = client.clients.create(name="wandb-prod", client_metadata={"a": "1", "b": "2"}, callbacks=["https://a.example"])
assert made.client_secret and made.grant_types[-1] == "client_credentials", made
changed = client.clients.update(made.client_id, client_metadata={"a": None, "c": "3"}, callbacks=[])
assert changed.client_metadata == {"b": "2", "c": "3"} and changed.callbacks == [], changed
for _ in range(2):
    client.clients.delete(made.client_id)


def refused(status, code, call):
    try:
        call()
    except ApiError as error:
        body = error.body if isinstance(error.body, dict) else error.body.model_dump(by_alias=True)
        assert error.status_code == status and body.get("errorCode") == code, (error.status_code, error.body)
        assert int(error.headers["x-ratelimit-limit"]) > 0, error.headers
    else:
        raise SystemExit(f"{code} was not refused")


refused(404, "inexistent_client", lambda: client.clients.get(made.client_id))
refused(400, "invalid_body", lambda: client.clients.create(name="a<b"))
refused(400, "invalid_body", lambda: client.clients.create(name="a", callbacks=["no url"]))
refused(400, "invalid_query_string", lambda: list(client.clients.list(per_page=101)))

client.clients.update(ours.client_id, web_origins=["https://other.example"])
