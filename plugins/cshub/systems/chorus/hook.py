"""From an Airflow connection of type ``chorus`` to a client."""

from __future__ import annotations

from functools import cached_property

from cshub.systems.chorus.client import BASE_URL, POLICY, AuthForm, ChorusClient
from cshub.systems.hook import ApiHook, QuotaMaker
from cshub.systems.http import ApiSession

_AUTH_FORMS = {form.value: form for form in AuthForm}


class ChorusHook(ApiHook):
    """Keeps to a call budget only where the connection names one: Chorus publishes no limit (chorus.md §1)."""

    conn_name_attr = "chorus_conn_id"
    default_conn_name = "chorus_default"
    conn_type = "chorus"
    hook_name = "Chorus"

    def __init__(self, chorus_conn_id: str = default_conn_name, *, quotas: QuotaMaker | None = None) -> None:
        super().__init__(chorus_conn_id, quotas=quotas)

    @cached_property
    def client(self) -> ChorusClient:
        """Raises :class:`~cshub.core.errors.ConnectionSpecError` for a wrong field."""
        fields = self.fields
        return ChorusClient(
            fields.required_token(),
            base_url=fields.base_url(BASE_URL),
            auth_form=fields.choice("auth_form", _AUTH_FORMS, AuthForm.BARE.value),
            label=f"Chorus (connection {fields.conn_id})",
            wire=self._wire(POLICY, None),
        )

    def http(self) -> ApiSession:
        return self.client.http

    def greeting(self) -> str:
        me = self.client.me()
        who = f"{me.name} <{me.email}>" if me.email else f"user {me.id}"
        return f"Signed in to {self.client.http.base_url} as {who}, company {me.domain or 'not told'}."
