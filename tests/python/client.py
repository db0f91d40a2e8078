"""An operator's program in another language: talks to a node over mutual TLS with the stubs of proto/ alone.

Prints one line a check and `N passed, M failed`; the exit code is 0 only if none failed.
"""

import argparse
import datetime
import pathlib
import sys
import traceback

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from passerelle.v1 import alert_pb2, alert_pb2_grpc, audit_pb2, audit_pb2_grpc, status_pb2 as node_pb2, status_pb2_grpc
from passerelle.v1 import watch_pb2, watch_pb2_grpc

# The DNS name in the certificate of Senegal's node: its trust domain. Libraries that check a server's name are told it,
# as the node is dialled by an address.
SERVER_NAME = "sn.sahelplus"
# Seconds for any one call, on a busy machine.
PATIENCE = 20
SERVICES = ["Alert", "Audit", "Consent", "Handover", "Peer", "Status", "Watch"]


def channel(port, root, key=None, certificate=None, name=SERVER_NAME):
    credentials = grpc.ssl_channel_credentials(root, key, certificate)
    options = [("grpc.ssl_target_name_override", name), ("grpc.enable_retries", 0)]
    return grpc.secure_channel(f"127.0.0.1:{port}", credentials, options)


def an_alert(description=None):
    expires = Timestamp()
    expires.FromDatetime(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2))
    text = alert_pb2.AlertText(
        language="fr", headline="EXERCICE. Convoi vers Rosso : environ 120 personnes", reviewed=True
    )
    if description is not None:
        text.description = description
    count = alert_pb2.Count(min=110, max=140, best=120, basis="estimated")
    return alert_pb2.Alert(
        mode="Exercise",
        event="return.convoy_land",
        urgency="Expected",
        severity="Severe",
        certainty="Likely",
        source_type="volunteer",
        expires_at=expires,
        route_segment="land.sn-mr.rosso",
        people=alert_pb2.People(total=count),
        places=[alert_pb2.Place(role="border_crossing", name="Rosso", country="SN", latitude=16.5, longitude=-15.811)],
        texts=[text],
    )


def rich(error):
    """The details of google.rpc in an error, by the name of their type."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            assert status.code == error.code().value[0], "the details are of another code"
            return {any_.type_url.rsplit(".", 1)[1]: any_.value for any_ in status.details}
    raise AssertionError(f"{error.code()} has no details: {error.details()}")


def refused(call, *arguments):
    """The error with which a call is refused."""
    try:
        answer = call(*arguments, timeout=PATIENCE)
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"it was not refused: {answer}")


class Checks:
    """What a client in another language relies on, in the order in which it would meet it."""

    def __init__(self, port, folder, name):
        read = lambda file: (pathlib.Path(folder) / file).read_bytes()
        self.port = port
        self.root, self.certificate, self.key = read("root.pem"), read(f"{name}.pem"), read(f"{name}.key.pem")
        self.name = name
        self.channel = channel(port, self.root, self.key, self.certificate)
        self.alerts = alert_pb2_grpc.AlertServiceStub(self.channel)
        self.raised = None

    def the_node_is_healthy(self):
        grpc.channel_ready_future(self.channel).result(timeout=PATIENCE)
        health = health_pb2_grpc.HealthStub(self.channel)
        for service in ["", "passerelle.v1.AlertService"]:
            answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING, (service, answer)

    def reflection_lists_every_service(self):
        stub = reflection_pb2_grpc.ServerReflectionStub(self.channel)
        ask = lambda request: next(iter(stub.ServerReflectionInfo(iter([request]), timeout=PATIENCE)))
        answer = ask(reflection_pb2.ServerReflectionRequest(list_services=""))
        names = {service.name for service in answer.list_services_response.service}
        wanted = {f"passerelle.v1.{service}Service" for service in SERVICES}
        assert wanted <= names, f"missing: {wanted - names}"
        assert "passerelle.v1.LinkService" not in names, "the peer port's service is shown to operators"
        symbol = "passerelle.v1.AlertService.RaiseAlert"
        answer = ask(reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol))
        files = [FileDescriptorProto.FromString(one) for one in answer.file_descriptor_response.file_descriptor_proto]
        methods = {method.name for file in files for service in file.service for method in service.method}
        assert "RaiseAlert" in methods, methods

    def the_node_knows_who_calls(self):
        status = status_pb2_grpc.StatusServiceStub(self.channel).GetStatus(node_pb2.GetStatusRequest(), timeout=PATIENCE)
        assert status.society == "SN", status
        assert self.name in status.operator, status.operator
        assert list(status.roles) == ["alert_author", "auditor"], status.roles

    def an_alert_is_raised_and_read_back(self):
        sent = an_alert("Préparer l'accueil et l'eau ; garder les fratries ensemble.")
        self.raised = self.alerts.RaiseAlert(alert_pb2.RaiseAlertRequest(alert=sent), timeout=PATIENCE)
        view = self.alerts.GetAlert(alert_pb2.GetAlertRequest(id=self.raised.id), timeout=PATIENCE).alert
        assert (view.origin, view.state, view.digest) == ("SN", "active", self.raised.digest), view
        got = view.alert
        assert got.texts[0].headline == sent.texts[0].headline and got.texts[0].description == sent.texts[0].description
        assert (got.event, got.severity, got.people.total.best) == (sent.event, sent.severity, 120), got
        assert abs(got.places[0].latitude - 16.5) < 1e-4 and abs(got.places[0].longitude + 15.811) < 1e-4, got.places
        assert got.expires_at.seconds == sent.expires_at.seconds, got.expires_at
        listed = self.alerts.ListAlerts(alert_pb2.ListAlertsRequest(), timeout=PATIENCE).alerts
        assert [one.id for one in listed] == [self.raised.id], listed

    def raising_again_under_the_same_id_changes_nothing(self):
        view = self.alerts.GetAlert(alert_pb2.GetAlertRequest(id=self.raised.id), timeout=PATIENCE).alert
        request = alert_pb2.RaiseAlertRequest(id=self.raised.id, alert=view.alert)
        again = self.alerts.RaiseAlert(request, timeout=PATIENCE)
        assert (again.id, again.digest, again.entry_index) == (view.id, view.digest, view.entry_index), again

    def the_watch_tells_of_the_alert(self):
        request = watch_pb2.WatchRequest(from_position=0, topics=["alert"], until_now=True)
        events = list(watch_pb2_grpc.WatchServiceStub(self.channel).Watch(request, timeout=PATIENCE))
        assert self.raised.id in [event.id for event in events], events

    def a_phone_number_is_refused_with_its_reason_and_field(self):
        request = alert_pb2.RaiseAlertRequest(alert=an_alert("Appeler Awa au +221 77 123 45 67 avant midi."))
        error = refused(self.alerts.RaiseAlert, request)
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
        details = rich(error)
        info = error_details_pb2.ErrorInfo.FromString(details["ErrorInfo"])
        assert (info.reason, info.domain) == ("personal_data", "passerelle"), info
        violations = error_details_pb2.BadRequest.FromString(details["BadRequest"]).field_violations
        assert [one.field for one in violations] == ["texts[0].description"], violations
        assert "77 123" not in error.details() + str(info) + str(violations), "the error repeats the number"

    def every_fault_is_told_at_once(self):
        alert = an_alert()
        alert.event, alert.severity = "sea.monster", "Terrible"
        details = rich(refused(self.alerts.RaiseAlert, alert_pb2.RaiseAlertRequest(alert=alert)))
        fields = [v.field for v in error_details_pb2.BadRequest.FromString(details["BadRequest"]).field_violations]
        assert {"event", "severity"} <= set(fields), fields

    def what_is_absent_is_not_found(self):
        request = alert_pb2.GetAlertRequest(id="0193a5f0-0000-7000-8000-000000000000")
        error = refused(self.alerts.GetAlert, request)
        assert error.code() == grpc.StatusCode.NOT_FOUND, error
        assert error_details_pb2.ErrorInfo.FromString(rich(error)["ErrorInfo"]).domain == "passerelle"

    def a_missing_role_is_refused(self):
        from passerelle.v1 import consent_pb2, consent_pb2_grpc

        stub = consent_pb2_grpc.ConsentServiceStub(self.channel)
        error = refused(stub.RecordConsent, consent_pb2.RecordConsentRequest(consent={"record_json": "{}"}))
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED, error
        assert error_details_pb2.ErrorInfo.FromString(rich(error)["ErrorInfo"]).reason == "role_missing", error

    def the_journal_verifies(self):
        stub = audit_pb2_grpc.AuditServiceStub(self.channel)
        *_, last = stub.VerifyJournal(audit_pb2.VerifyJournalRequest(), timeout=PATIENCE)
        assert last.done and last.ok and not last.faults, last

    def without_a_certificate_nobody_comes_in(self):
        with channel(self.port, self.root) as other:
            error = refused(alert_pb2_grpc.AlertServiceStub(other).ListAlerts, alert_pb2.ListAlertsRequest())
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error

    def the_client_checks_the_name_of_the_node(self):
        with channel(self.port, self.root, self.key, self.certificate, name="ml.sahelplus") as other:
            error = refused(alert_pb2_grpc.AlertServiceStub(other).ListAlerts, alert_pb2.ListAlertsRequest())
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error

    def plain_text_gets_no_answer(self):
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as other:
            error = refused(alert_pb2_grpc.AlertServiceStub(other).ListAlerts, alert_pb2.ListAlertsRequest())
            assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), error


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificates", required=True, help="folder that operator-certificate wrote")
    parser.add_argument("--name", required=True)
    arguments = parser.parse_args()
    checks = Checks(arguments.port, arguments.certificates, arguments.name)
    passed = failed = 0
    for name, check in vars(Checks).items():
        if name.startswith("_"):
            continue
        try:
            check(checks)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"FAIL {name.replace('_', ' ')}")
            traceback.print_exc()
        else:
            passed += 1
            print(f"ok   {name.replace('_', ' ')}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
