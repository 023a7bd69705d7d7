from django.db import migrations

# What each role may do. Roles add up: an officer may hold several, but never two parts of one draft.
ROLES = {
    "author": [("alerts", "draft", "write_draft", "Can write and submit alerts")],
    "approver": [
        ("alerts", "draft", "approve_draft", "Can approve alerts"),
        ("alerts", "draft", "break_glass", "Can release an alert alone (break-glass)"),
        ("alerts", "draft", "open_gate", "Can open the gate by hand"),
    ],
    "administrator": [
        ("auth", "user", "add_user", "Can add user"),
        ("auth", "user", "change_user", "Can change user"),
        ("auth", "user", "view_user", "Can view user"),
        ("alerts", "area", "change_area", "Can change area"),
        ("alerts", "area", "view_area", "Can view area"),
        ("alerts", "template", "add_template", "Can add template"),
        ("alerts", "template", "change_template", "Can change template"),
        ("alerts", "template", "view_template", "Can view template"),
        *(
            ("otp_totp", "totpdevice", f"{verb}_totpdevice", f"Can {verb} TOTP device")
            for verb in ("add", "change", "delete", "view")
        ),
        *(
            ("otp_static", "staticdevice", f"{verb}_staticdevice", f"Can {verb} static device")
            for verb in ("add", "change", "delete", "view")
        ),
        *(
            ("otp_static", "statictoken", f"{verb}_statictoken", f"Can {verb} static token")
            for verb in ("add", "change", "delete", "view")
        ),
    ],
}


def make_roles(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    ContentType = apps.get_model("contenttypes", "ContentType")
    for role, permissions in ROLES.items():
        group, _made = Group.objects.get_or_create(name=role)
        for app, model, codename, name in permissions:
            # Django makes permissions only after all migrations; it finds these and lets them be
            kind, _made = ContentType.objects.get_or_create(app_label=app, model=model)
            permission, _made = Permission.objects.get_or_create(
                codename=codename, content_type=kind, defaults={"name": name}
            )
            group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0002_guards"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
