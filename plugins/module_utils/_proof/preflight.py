# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold before a proof makes anything, and what it says before: type, tags, expiry and the highest cost.

Sources: EC2 user guide ("On-Demand Instance quotas"), Price List API reference, IAM API reference (GetInstanceProfile).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._aws.account_proof import (
    Launch,
    describe_image,
    describe_subnet,
    instances_with_tag,
    public_parameter,
    refusal_to_launch,
)
from .._aws.api import Aws
from .._aws.ec2 import describe_instance_types, tags_of
from .._aws.errors import AwsError
from .._aws.iam import roles_of_instance_profile
from .._aws.pricing import usd_prices, windows_hourly_usd
from .._aws.quotas import quota_of
from .._aws.ssm import service_setting
from .._base.clock import iso
from .._base.commands import plain_command
from .._base.errors import Failed, InvalidOption, PatchFleetError
from .._fleet.hosts import FleetHost
from .._model.reasons import Reason
from .._operation.context import OperationContext
from .._plan.network import Network
from .._plan.profiles import DEFAULT_HOST_MANAGEMENT
from .._plan.quota import QUOTA_CODE, STANDARD, vcpus_running
from .settings import EXPIRES_TAG, LONGEST_HOURS, PROOF_TAG, ProofSettings

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import ImageTypeDef, SubnetTypeDef

HOURS_OF_A_MONTH = 730.0
NOTHING_MADE = "Nothing was made."
EXAMPLE = "/aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base"


@dataclass(frozen=True)
class Preflight:
    """A proof that could be made now.

    Attributes:
        launch: of its instance.
        image_name: of the image, which says which Windows it is and how old.
        root_gib: size of the image's root volume.
        highest_usd: what instance and volume cost at most.
    """

    launch: Launch
    image_name: str
    root_gib: int
    expires_at: float
    highest_usd: float
    region: str

    def lines(self, settings: ProofSettings) -> list[str]:
        """What is said before anything is made."""
        launch = self.launch
        what = (
            f"One instance of type {launch.instance_type} from {self.image_name} ({launch.image_id}) is started in "
            f"{launch.subnet_id}, {self.region}, with an encrypted root volume of {self.root_gib} GiB that grows by 2 GiB."
        )
        tags = (
            f"It has the tags {PROOF_TAG} (the proof's id), {EXPIRES_TAG} and {settings.tag_key}={settings.tag_value}. Start no "
            "run meanwhile: it would take this host, too."
        )
        cost = (
            f"The proof expires after {settings.hours} h, at {iso(self.expires_at)}, and costs at most "
            f"{self.highest_usd:.2f} USD (on-demand price of instance and volume, without taxes and data transfer)."
        )
        command = plain_command("prove_account", {"prove_state": "absent", "prove_region": self.region})
        away = f"Everything is taken away at the end. After an interruption: {command}"
        return [what, tags, cost, away]


def check(context: OperationContext) -> Preflight:
    """What would be made.

    Raises:
        InvalidOption: an option cannot be right; names it, and nothing was made.
        PatchFleetError: the account does not allow the proof: quota, rights, an earlier proof.
    """
    settings = ProofSettings.of(context.params)
    aws = context.aws
    region = aws.region
    if not 1 <= settings.hours <= LONGEST_HOURS:
        raise InvalidOption("prove_hours", settings.hours, f"It must be from 1 to {LONGEST_HOURS}. {NOTHING_MADE}")
    _refuse_second_proof(aws, region)
    subnet = _subnet(aws, settings, region)
    vcpus = _vcpus(aws, settings)
    image = _image(aws, settings, region)
    profile = _profile(aws, settings, region)
    _refuse_cut_off(aws, subnet, region)
    _refuse_without_quota(aws, settings, vcpus, region)
    proof_id = uuid.uuid4().hex[:12]
    expires_at = context.clock.now() + settings.hours * 3600.0
    launch = Launch(
        token=f"{PROOF_TAG}-{proof_id}",
        image_id=image["ImageId"],
        instance_type=settings.instance_type,
        subnet_id=settings.subnet_id,
        security_group_ids=settings.security_group_ids,
        instance_profile=profile,
        root_device=image["RootDeviceName"],
        tags={settings.tag_key: settings.tag_value, **settings.tags(proof_id, expires_at)},
    )
    refusal = refusal_to_launch(aws, launch)
    if refusal is not None:
        raise Failed(f"EC2 would not launch the instance: {refusal.reason} {NOTHING_MADE}", refusal.code)
    root_gib = _root_gib(image)
    highest = settings.hours * _hourly_usd(aws, settings, region) + _volume_usd(aws, settings, region, root_gib + 2)
    return Preflight(launch, image.get("Name", image["ImageId"]), root_gib, expires_at, highest, region)


def _refuse_second_proof(aws: Aws, region: str) -> None:
    for instance in instances_with_tag(aws, PROOF_TAG):
        raise Failed(
            f"The instance {instance['InstanceId']} of an earlier proof (it expires at "
            f"{tags_of(instance).get(EXPIRES_TAG, 'an unknown time')}) is still there in {region}. Take it away first: "
            f"-e prove_state=absent. {NOTHING_MADE}",
            Reason.INVALID_OPTION,
        )


def _subnet(aws: Aws, settings: ProofSettings, region: str) -> SubnetTypeDef:
    if not settings.subnet_id:
        raise InvalidOption("prove_subnet_id", "", f"Name the subnet for the instance (subnet-…). {NOTHING_MADE}")
    try:
        return describe_subnet(aws, settings.subnet_id)
    except AwsError as error:
        if not error.aws_code.startswith("InvalidSubnet"):
            raise
        right = f"There is no such subnet in {region} (prove_region). {NOTHING_MADE}"
        raise InvalidOption("prove_subnet_id", settings.subnet_id, right) from error


def _vcpus(aws: Aws, settings: ProofSettings) -> int:
    try:
        (row,) = describe_instance_types(aws, [settings.instance_type])
    except AwsError as error:
        if error.aws_code not in {"InvalidInstanceType", "InvalidParameterValue"}:
            raise
        right = f"There is no such instance type in this region. {NOTHING_MADE}"
        raise InvalidOption("prove_instance_type", settings.instance_type, right) from error
    return int(row["VCpuInfo"]["DefaultVCpus"])


def _image(aws: Aws, settings: ProofSettings, region: str) -> ImageTypeDef:
    try:
        image_id = public_parameter(aws, settings.image_parameter)
    except AwsError as error:
        if error.aws_code != "ParameterNotFound":
            raise
        right = f"AWS has no such public parameter in {region}: {EXAMPLE} is one. {NOTHING_MADE}"
        raise InvalidOption("prove_image_parameter", settings.image_parameter, right) from error
    return describe_image(aws, image_id)


def _root_gib(image: ImageTypeDef) -> int:
    sizes = {row.get("DeviceName"): row.get("Ebs", {}).get("VolumeSize", 0) for row in image["BlockDeviceMappings"]}
    return int(sizes[image["RootDeviceName"]])


def _profile(aws: Aws, settings: ProofSettings, region: str) -> str | None:
    """The instance profile; None where Default Host Management Configuration makes the instance a managed node."""
    name = settings.profile_in(region)
    try:
        roles_of_instance_profile(aws, name)
    except AwsError as error:
        if error.aws_code != "NoSuchEntity":
            raise
        if settings.instance_profile is None and _default_host_management(aws):
            return None
        right = (
            "There is no such instance profile, and Default Host Management Configuration is off. Name one with the rights of "
            f"the SSM agent, or let setup_aws make it (parameter InstanceRole=create). {NOTHING_MADE}"
        )
        raise InvalidOption("prove_instance_profile", name, right) from error
    return name


def _default_host_management(aws: Aws) -> bool:
    return service_setting(aws, DEFAULT_HOST_MANAGEMENT) not in {None, "", "$None"}


def _refuse_cut_off(aws: Aws, subnet: SubnetTypeDef, region: str) -> None:
    host = FleetHost(
        key="the proof",
        name="the proof",
        kind="ec2",
        region=region,
        vpc_id=subnet["VpcId"],
        subnet_id=subnet["SubnetId"],
        public_address="at the launch" if subnet.get("MapPublicIpOnLaunch") else None,
    )
    why = Network(aws, [host]).why_cut_off(host)
    if why:
        right = f"An instance there cannot reach Systems Manager: {why} {NOTHING_MADE}"
        raise InvalidOption("prove_subnet_id", subnet["SubnetId"], right)


def _refuse_without_quota(aws: Aws, settings: ProofSettings, vcpus: int, region: str) -> None:
    if not STANDARD.match(settings.instance_type):
        return
    quota, used = quota_of(aws, "ec2", QUOTA_CODE), vcpus_running(aws)
    if used + vcpus > quota:
        raise Failed(
            f"The vCPU quota of {region} ({QUOTA_CODE}) is {quota:.0f}, {used} are in use, and {settings.instance_type} "
            f"(prove_instance_type) needs {vcpus}. {NOTHING_MADE}",
            Reason.NO_HEADROOM,
        )


def _hourly_usd(aws: Aws, settings: ProofSettings, region: str) -> float:
    """The highest on-demand price of the instance type with Windows, per hour."""
    if settings.hourly_usd is not None:
        return settings.hourly_usd
    return _from_price_list(settings, lambda: windows_hourly_usd(aws.without_retries(), region, settings.instance_type))


def _volume_usd(aws: Aws, settings: ProofSettings, region: str, gib: int) -> float:
    if settings.hourly_usd is not None:
        return 0.0  # the user's own price is for all
    filters = {"regionCode": region, "volumeApiName": "gp3", "productFamily": "Storage"}
    monthly = _from_price_list(settings, lambda: max(usd_prices(aws.without_retries(), filters), default=None))
    return monthly * gib * settings.hours / HOURS_OF_A_MONTH


def _from_price_list(settings: ProofSettings, read: Callable[[], float | None]) -> float:
    reason = "The Price List has no such product."
    try:
        price = read()
        if price is not None:
            return price
    except PatchFleetError as error:
        reason = error.reason
    raise InvalidOption(
        "prove_hourly_usd",
        settings.hourly_usd,
        f"The highest cost cannot be said without a price, and AWS does not say it. {reason} Set what an hour of "
        f"{settings.instance_type} with Windows and its volume costs. {NOTHING_MADE}",
    )
