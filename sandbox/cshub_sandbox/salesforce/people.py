"""Who acts in the product's own pages: users found by what they are called."""

from __future__ import annotations

from cshub_sandbox.salesforce.actors import Actor
from cshub_sandbox.salesforce.org import Org


def find_user(org: Org, named: str) -> str:
    """The id of the user with this id, user name or e-mail. Raises ``KeyError``."""
    users = org.store.table("User")
    if named in users:
        return named
    found = org.user_named(named) or next(iter(users.find("Email", named)), None)
    if found is None:
        raise KeyError(f"the org has no user {named!r}; give an id, a user name or an e-mail")
    return found


def page_user(org: Org, named: str | None) -> Actor:
    """The user as a writer in the pages: without restrictions, as if every field were on the layout.

    Without a name it is the first active user who is not the integration user. Raises ``KeyError``.
    """
    if named is not None:
        user_id = find_user(org, named)
    else:
        user_id = next(user["Id"] for user in org.users() if user["IsActive"] and user["Id"] != org.app.run_as)
    return Actor(user_id, f"page:{user_id}", org.schema, allow_duplicates=True)
